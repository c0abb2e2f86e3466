package workload

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// PausedReplicas on a ScaledObject makes KEDA keep its target at that number.
const PausedReplicas = "autoscaling.keda.sh/paused-replicas"

// kedaMax is what KEDA takes for a maxReplicaCount that is not set.
const kedaMax = 100

// BlankScaledObject is an empty ScaledObject of KEDA, to be read into. It stays unstructured, so that
// fields of later releases are copied too.
func BlankScaledObject() *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetGroupVersionKind(schema.GroupVersionKind{Group: "keda.sh", Version: "v1alpha1", Kind: "ScaledObject"})
	return u
}

// ScaledObject renders the primary's copy of the target's ScaledObject. floor is as in Autoscaler.
func ScaledObject(c *v1beta1.Canary, source *unstructured.Unstructured, primary string, floor int32) *unstructured.Unstructured {
	out := BlankScaledObject()
	out.SetNamespace(source.GetNamespace())
	out.SetName(source.GetName() + "-" + v1beta1.RolePrimary)
	labels := withoutMarks(source.GetLabels())
	labels[v1beta1.CanaryLabel] = v1beta1.LabelValue(c.Name)
	out.SetLabels(labels)
	annotations := copied(source.GetAnnotations(), PausedReplicas) // the target is paused, not what serves
	annotations[v1beta1.MadeForAnnotation] = c.Name
	out.SetAnnotations(annotations)
	spec, _, _ := unstructured.NestedMap(source.Object, "spec")
	if spec == nil {
		spec = map[string]any{}
	}
	_ = unstructured.SetNestedField(spec, primary, "scaleTargetRef", "name")
	hpa := []string{"advanced", "horizontalPodAutoscalerConfig", "name"}
	if name, _, _ := unstructured.NestedString(spec, hpa...); name != "" {
		_ = unstructured.SetNestedField(spec, name+"-"+v1beta1.RolePrimary, hpa...)
	}
	bound(spec, c.Spec.AutoscalerRef.PrimaryScalerReplicas, floor)
	ask(spec, c, primary)
	out.Object["spec"] = spec
	return out
}

// bound sets the number of pods between the bounds. Under a floor nothing is idle.
func bound(spec map[string]any, r *v1beta1.ScalerReplicas, floor int32) {
	if r != nil && r.MinReplicas != nil {
		spec["minReplicaCount"] = int64(*r.MinReplicas)
	}
	if r != nil && r.MaxReplicas != nil {
		spec["maxReplicaCount"] = int64(*r.MaxReplicas)
	}
	if floor == 0 {
		return
	}
	delete(spec, "idleReplicaCount")
	highest, found, _ := unstructured.NestedInt64(spec, "maxReplicaCount")
	if !found {
		highest = kedaMax
	}
	lowest, _, _ := unstructured.NestedInt64(spec, "minReplicaCount")
	spec["minReplicaCount"] = max(lowest, min(int64(floor), highest))
}

// ask turns the triggers' queries to the primary: by the spec's own, and otherwise by its name.
func ask(spec map[string]any, c *v1beta1.Canary, primary string) {
	triggers, _, _ := unstructured.NestedSlice(spec, "triggers")
	for _, t := range triggers {
		trigger, _ := t.(map[string]any)
		query, found, _ := unstructured.NestedString(trigger, "metadata", "query")
		own, listed := c.Spec.AutoscalerRef.PrimaryScalerQueries[triggerName(trigger)]
		switch {
		case listed:
			query = own
		case found:
			query = ofPrimary(query, c.Spec.TargetRef.Name, primary)
		default:
			continue
		}
		_ = unstructured.SetNestedField(trigger, query, "metadata", "query")
	}
	if triggers != nil {
		spec["triggers"] = triggers
	}
}

// triggerName is the trigger's own name; the field's documents have it in the metadata too.
func triggerName(trigger map[string]any) string {
	if name, _, _ := unstructured.NestedString(trigger, "name"); name != "" {
		return name
	}
	name, _, _ := unstructured.NestedString(trigger, "metadata", "name")
	return name
}

// ofPrimary replaces the target's name, and the canary's, wherever it stands for itself: a metric that
// begins with it and another application that ends with it are not meant.
func ofPrimary(query, target, primary string) string {
	var out strings.Builder
	rest := 0 // where what is still to be copied begins
	for from := 0; ; {
		at := strings.Index(query[from:], target)
		if at < 0 {
			return out.String() + query[rest:]
		}
		begin, end := from+at, from+at+len(target)
		from = end
		if begin > 0 && (query[begin-1] == '-' || isWord(query[begin-1])) || end < len(query) && isWord(query[end]) {
			continue
		}
		for _, role := range []string{v1beta1.RolePrimary, v1beta1.RoleCanary} {
			if after, ok := strings.CutPrefix(query[end:], "-"+role); ok && (after == "" || !isWord(after[0])) {
				end = len(query) - len(after)
			}
		}
		out.WriteString(query[rest:begin] + primary)
		rest, from = end, end
	}
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// UnknownQueries lists primaryScalerQueries for which the ScaledObject has no trigger.
func UnknownQueries(c *v1beta1.Canary, source *unstructured.Unstructured) []string {
	queries := maps.Clone(c.Spec.AutoscalerRef.PrimaryScalerQueries)
	triggers, _, _ := unstructured.NestedSlice(source.Object, "spec", "triggers")
	for _, t := range triggers {
		trigger, _ := t.(map[string]any)
		delete(queries, triggerName(trigger))
	}
	return slices.Sorted(maps.Keys(queries))
}

// SameScaledObject is true when a live copy has all that was rendered.
func SameScaledObject(live, want *unstructured.Unstructured) bool {
	return contains(live.GetLabels(), want.GetLabels()) && contains(live.GetAnnotations(), want.GetAnnotations()) &&
		equality.Semantic.DeepEqual(live.Object["spec"], want.Object["spec"])
}
