package workload

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// Services renders the Services around a target.
type Services struct {
	Canary *v1beta1.Canary
	Target Object
	Label  SelectorLabel
	// Primary as it stands; nil when there is none.
	Primary Object
	// Apex as it stands; nil when there is none.
	Apex *corev1.Service
}

// OwnApex is true of an apex Service that Serin made: it follows the spec, while a user's keeps its
// ports and metadata.
func (s Services) OwnApex() bool {
	return s.Apex != nil && s.Apex.Labels[v1beta1.CanaryLabel] == v1beta1.LabelValue(s.Canary.Name)
}

// usersApex is the apex Service where it is the user's.
func (s Services) usersApex() *corev1.Service {
	if s.OwnApex() {
		return nil
	}
	return s.Apex
}

// Name of a role's Service.
func (s Services) Name(role string) string { return s.Canary.ApexName() + "-" + role }

// Role renders the Service of one side: the apex Service's ports, that side's pods.
func (s Services) Role(role string) *corev1.Service {
	svc := s.service(s.Name(role), role)
	if meta := s.metadata(role); meta != nil {
		merge(svc, meta)
	}
	return svc
}

// NewApex renders the apex Service that is Serin's. It selects the primary's pods.
func (s Services) NewApex() *corev1.Service {
	svc := s.service(s.Canary.ApexName(), v1beta1.RolePrimary)
	if meta := s.Canary.Spec.Service.Apex; meta != nil {
		merge(svc, meta)
	}
	return svc
}

// ApexSelector is what the apex Service selects once it is adopted: all that the user selects by,
// and the primary's label.
func (s Services) ApexSelector() map[string]string {
	sel := map[string]string{}
	if s.Apex != nil {
		maps.Copy(sel, s.Apex.Spec.Selector)
	}
	sel[s.Label.Key] = s.Label.Of(v1beta1.RolePrimary)
	return sel
}

// TargetPods renders the Service of the target's own pods: the apex Service's ports.
func (s Services) TargetPods() *corev1.Service {
	svc := s.service(s.Name(v1beta1.RoleRelease), v1beta1.RoleRelease)
	svc.Spec.Selector = maps.Clone(s.Target.Selector().MatchLabels)
	return svc
}

// OriginalSelector is what the apex Service selected before it was adopted: as it was noted then, or,
// where Serin made the Service, the target's pods.
func (s Services) OriginalSelector() map[string]string {
	if s.Apex == nil {
		return nil
	}
	sel := map[string]string{}
	if json.Unmarshal([]byte(s.Apex.Annotations[v1beta1.OriginalSelectorAnnotation]), &sel) == nil && len(sel) > 0 {
		return sel
	}
	sel = maps.Clone(s.Apex.Spec.Selector)
	if _, ok := sel[s.Label.Key]; ok {
		sel[s.Label.Key] = s.Label.Value
	}
	return sel
}

// MissingPort says that the user's apex Service lacks the port that the route is to use.
func (s Services) MissingPort() string {
	if s.usersApex() == nil {
		return ""
	}
	var have []string
	for _, p := range s.Apex.Spec.Ports {
		if p.Port == s.Canary.Spec.Service.Port {
			return ""
		}
		have = append(have, fmt.Sprint(p.Port))
	}
	slices.Sort(have)
	return fmt.Sprintf("Service %s has no port %d (it has %v): set spec.service.port to one of them, or add it to the Service",
		s.Apex.Name, s.Canary.Spec.Service.Port, have)
}

func (s Services) service(name, role string) *corev1.Service {
	svc := &corev1.Service{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.Canary.Namespace, Name: name,
			Labels:      map[string]string{v1beta1.CanaryLabel: v1beta1.LabelValue(s.Canary.Name), v1beta1.RoleLabel: role},
			Annotations: map[string]string{v1beta1.MadeForAnnotation: s.Canary.Name},
		},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeClusterIP, Selector: s.Label.Selector(s.Target, role), Ports: s.ports(),
		},
	}
	spec := s.Canary.Spec.Service
	if spec.Headless {
		svc.Spec.ClusterIP = corev1.ClusterIPNone
	}
	if spec.TrafficDistribution != "" {
		svc.Spec.TrafficDistribution = new(spec.TrafficDistribution)
	}
	s.likeApex(svc)
	return svc
}

// likeApex takes over which addresses a user's apex Service has. That it may list pods that are not
// ready is not: a weight waits for pods that are.
func (s Services) likeApex(svc *corev1.Service) {
	apex := s.usersApex()
	if apex == nil {
		return
	}
	if apex.Spec.ClusterIP == corev1.ClusterIPNone {
		svc.Spec.ClusterIP = corev1.ClusterIPNone
	}
	if p := apex.Spec.IPFamilyPolicy; p != nil && *p != corev1.IPFamilyPolicySingleStack {
		svc.Spec.IPFamilyPolicy = new(*p)
	}
	if svc.Spec.TrafficDistribution == nil {
		svc.Spec.TrafficDistribution = apex.Spec.TrafficDistribution
	}
}

// ports are a user's apex Service's own, or the one that the spec asks for with those it discovers.
func (s Services) ports() []corev1.ServicePort {
	if apex := s.usersApex(); apex != nil {
		ports := slices.Clone(apex.Spec.Ports)
		for i := range ports {
			ports[i].NodePort = 0
		}
		return ports
	}
	spec := s.Canary.Spec.Service
	port := corev1.ServicePort{Name: spec.PortName, Port: spec.Port, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(spec.Port)}
	if port.Name == "" {
		port.Name = "http"
	}
	if spec.TargetPort != nil {
		port.TargetPort = *spec.TargetPort
	}
	if spec.AppProtocol != "" {
		port.AppProtocol = new(spec.AppProtocol)
	}
	if !spec.PortDiscovery {
		return []corev1.ServicePort{port}
	}
	return s.discover(port)
}

func (s Services) metadata(role string) *v1beta1.CustomMetadata {
	if role == v1beta1.RolePrimary {
		return s.Canary.Spec.Service.Primary
	}
	return s.Canary.Spec.Service.Canary
}

func merge(svc *corev1.Service, meta *v1beta1.CustomMetadata) {
	maps.Copy(svc.Labels, withoutMarks(meta.Labels))
	maps.Copy(svc.Annotations, meta.Annotations)
}

// SameService is true when a live Service has all that was rendered. What others added stays, and so
// does what cannot change: whether it is headless.
func SameService(live, want *corev1.Service) bool {
	return contains(live.Labels, want.Labels) && contains(live.Annotations, want.Annotations) &&
		equality.Semantic.DeepEqual(live.Spec.Selector, want.Spec.Selector) && samePorts(live.Spec.Ports, want.Spec.Ports) &&
		ptr.Equal(live.Spec.TrafficDistribution, want.Spec.TrafficDistribution) &&
		(want.Spec.IPFamilyPolicy == nil || ptr.Equal(live.Spec.IPFamilyPolicy, want.Spec.IPFamilyPolicy))
}

// KeepAddress gives a rendered Service what cannot change of the live one: whether it is headless. It
// is false where something else was asked for.
func KeepAddress(live, want *corev1.Service) bool {
	asked := want.Spec.ClusterIP
	want.Spec.ClusterIP = ""
	if live.Spec.ClusterIP == corev1.ClusterIPNone {
		want.Spec.ClusterIP = corev1.ClusterIPNone
	}
	return want.Spec.ClusterIP == asked
}

func samePorts(live, want []corev1.ServicePort) bool {
	return slices.EqualFunc(live, want, func(a, b corev1.ServicePort) bool {
		a.NodePort, b.NodePort = 0, 0
		if b.Protocol == "" {
			b.Protocol = corev1.ProtocolTCP
		}
		return equality.Semantic.DeepEqual(a, b)
	})
}

func contains(have, want map[string]string) bool {
	for k, v := range want {
		if have[k] != v {
			return false
		}
	}
	return true
}
