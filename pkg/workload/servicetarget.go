package workload

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// KindService is a target that makes no pods: what is rolled out is which ones it leads to.
const KindService = "Service"

// ServiceFields are the part of a Service's spec that a revision of a Service target is made of: where
// it leads and how. Addresses, node ports and load balancers are each Service's own.
func ServiceFields(s *corev1.Service) map[string]any {
	spec := corev1.ServiceSpec{
		Type: corev1.ServiceTypeClusterIP, Selector: s.Spec.Selector, Ports: slices.Clone(s.Spec.Ports),
		SessionAffinity: s.Spec.SessionAffinity, SessionAffinityConfig: s.Spec.SessionAffinityConfig,
		InternalTrafficPolicy: s.Spec.InternalTrafficPolicy, TrafficDistribution: s.Spec.TrafficDistribution,
	}
	if s.Spec.Type == corev1.ServiceTypeExternalName {
		spec.Type, spec.ExternalName = s.Spec.Type, s.Spec.ExternalName
	}
	for i := range spec.Ports {
		spec.Ports[i].NodePort = 0
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&spec)
	if err != nil { // a typed spec always converts
		panic(err)
	}
	delete(fields, "clusterIP")
	return fields
}

// serviceKeys are the fields that ServiceFields may have.
var serviceKeys = []string{"type", "externalName", "selector", "ports", "sessionAffinity", "sessionAffinityConfig",
	"internalTrafficPolicy", "trafficDistribution"}

// Destination says in a word where a Service leads.
func Destination(s *corev1.Service) string {
	if s.Spec.Type == corev1.ServiceTypeExternalName {
		return s.Spec.ExternalName
	}
	selector := maps.Clone(s.Spec.Selector)
	delete(selector, v1beta1.ScaleToZeroKey)
	return labels.Set(selector).String()
}

// ServiceRefusals lists why a Service cannot be a target.
func ServiceRefusals(s *corev1.Service) []string {
	if len(s.Spec.Selector) == 0 && s.Spec.Type != corev1.ServiceTypeExternalName {
		return []string{"it has no selector: its addresses are listed by hand, and those of the two sides would have none"}
	}
	return nil
}

// ServiceOn is true while the Service of a side leads anywhere. One that does not selects by a label
// that no pod has.
func ServiceOn(s *corev1.Service) bool {
	_, off := s.Spec.Selector[v1beta1.ScaleToZeroKey]
	return !off
}

// ServiceClone is what the Service of one side of a Service target is rendered from.
type ServiceClone struct {
	Canary *v1beta1.Canary
	Target *corev1.Service
	Role   string
	// Revision names the snapshot, Fields are its content.
	Revision string
	Fields   map[string]any
	On       bool
	Stamp    int64
}

// Object renders the Service whole, to be created.
func (c ServiceClone) Object() *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetAPIVersion("v1")
	u.SetKind(KindService)
	u.SetNamespace(c.Target.Namespace)
	u.SetName(c.Target.Name + "-" + c.Role)
	marks, notes := withoutMarks(c.Target.Labels), withoutMarks(c.Target.Annotations)
	custom := c.Canary.Spec.Service.Canary
	if c.Role == v1beta1.RolePrimary {
		custom = c.Canary.Spec.Service.Primary
	}
	if custom != nil {
		maps.Copy(marks, withoutMarks(custom.Labels))
		maps.Copy(notes, custom.Annotations)
	}
	maps.Copy(marks, c.labels())
	maps.Copy(notes, c.annotations())
	u.SetLabels(marks)
	u.SetAnnotations(notes)
	spec := c.fields()
	if c.Target.Spec.ClusterIP == corev1.ClusterIPNone {
		spec["clusterIP"] = corev1.ClusterIPNone
	}
	u.Object["spec"] = spec
	return u
}

// Same is true when a live Service leads where it should.
func (c ServiceClone) Same(live *corev1.Service) bool {
	return contains(live.Labels, c.labels()) && live.Annotations[v1beta1.RevisionAnnotation] == c.Revision &&
		equality.Semantic.DeepEqual(ServiceFields(live), c.fields())
}

// Changes bring a live Service to the revision and switch it on or off.
func (c ServiceClone) Changes(live *corev1.Service) []Change {
	changes := []Change{{"replace", "/metadata/resourceVersion", live.ResourceVersion}}
	if len(live.Labels) == 0 {
		changes = append(changes, Change{"add", "/metadata/labels", map[string]string{}})
	}
	if len(live.Annotations) == 0 {
		changes = append(changes, Change{"add", "/metadata/annotations", map[string]string{}})
	}
	for field, entries := range map[string]map[string]string{"labels": c.labels(), "annotations": c.annotations()} {
		for key, value := range entries {
			changes = append(changes, Change{"add", fmt.Sprintf("/metadata/%s/%s", field, pointer(key)), value})
		}
	}
	return append(changes, ServiceChanges(live, c.fields())...)
}

// ServiceChanges lead a Service where those fields do. What does not differ is not written: a user's
// Service has node ports beside its ports.
func ServiceChanges(live *corev1.Service, want map[string]any) []Change {
	var changes []Change
	have := ServiceFields(live)
	for _, key := range serviceKeys {
		value, wanted := want[key]
		_, found := have[key]
		switch {
		case equality.Semantic.DeepEqual(value, have[key]):
		case wanted:
			changes = append(changes, Change{"add", "/spec/" + key, value})
		case found:
			changes = append(changes, Change{"remove", "/spec/" + key, nil})
		}
	}
	return changes
}

// labels are copied to the EndpointSlices of the Service by the cluster, so that it can be told which
// revision its addresses are of.
func (c ServiceClone) labels() map[string]string {
	return map[string]string{v1beta1.CanaryLabel: v1beta1.LabelValue(c.Canary.Name), v1beta1.RoleLabel: c.Role,
		v1beta1.RevisionLabel: v1beta1.LabelValue(c.Revision)}
}

func (c ServiceClone) annotations() map[string]string {
	return map[string]string{v1beta1.RevisionAnnotation: c.Revision, v1beta1.TransitionAnnotation: fmt.Sprint(c.Stamp),
		v1beta1.MadeForAnnotation: c.Canary.Name}
}

func (c ServiceClone) fields() map[string]any {
	fields := runtime.DeepCopyJSON(c.Fields)
	if c.On {
		return fields
	}
	_ = unstructured.SetNestedField(fields, "true", "selector", v1beta1.ScaleToZeroKey)
	return fields
}

// pointer escapes a key for the path of a JSON patch.
func pointer(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}
