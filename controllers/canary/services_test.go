package canary_test

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/intstr"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
)

func (w *world) serviceNamed(name string) *corev1.Service {
	w.t.Helper()
	s := &corev1.Service{}
	w.read(name, s)
	return s
}

// portsOf are a Service's ports without those of the nodes.
func portsOf(s *corev1.Service) []corev1.ServicePort {
	ports := append([]corev1.ServicePort{}, s.Spec.Ports...)
	for i := range ports {
		ports[i].NodePort = 0
	}
	return ports
}

// manyPorts is a user's Service with all that ports can have.
func (w *world) manyPorts() *corev1.Service {
	s := w.service()
	s.Labels, s.Annotations = map[string]string{"team": "shop"}, map[string]string{"contact": "shop@example.com"}
	s.Spec.Type = corev1.ServiceTypeNodePort
	s.Spec.Ports = []corev1.ServicePort{
		{Name: "http", Port: 9898, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromString("http")},
		{Name: "grpc", Port: 9999, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(9000), AppProtocol: new("kubernetes.io/h2c")},
		{Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP, TargetPort: intstr.FromInt32(5353)},
		{Name: "dns-tcp", Port: 53, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(5353)},
	}
	return s
}

// TestEachPortOfTheUsersServiceIsKept (Flagger #1543, #1416, #993, #351): the Service keeps ports and
// metadata, and the two sides have all of its ports, also one that comes later.
func TestEachPortOfTheUsersServiceIsKept(t *testing.T) {
	w := newWorld(t)
	w.create(w.deployment("podinfo:6.0.0"), w.manyPorts())
	before := w.serviceNamed("podinfo")
	w.create(w.canary())
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	after := w.serviceNamed("podinfo")
	want := before.DeepCopy()
	want.Spec.Selector = map[string]string{"app": "podinfo-primary"}
	want.Annotations[v1beta1.OriginalSelectorAnnotation] = `{"app":"podinfo"}`
	if diff := cmp.Diff(want.Spec, after.Spec); diff != "" {
		t.Errorf("spec of the user's Service (-want +got):\n%s", diff)
	}
	if !maps.Equal(want.Labels, after.Labels) || !maps.Equal(want.Annotations, after.Annotations) {
		t.Errorf("its metadata is %v %v", after.Labels, after.Annotations)
	}
	alter(w, "podinfo", &corev1.Service{}, func(s *corev1.Service) {
		s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: "metrics", Port: 9797, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(9797)})
	})
	for _, name := range []string{"podinfo-primary", "podinfo-canary"} {
		w.eventually(name+" has the later port", func() bool { return len(w.serviceNamed(name).Spec.Ports) == 5 })
		side := w.serviceNamed(name)
		if diff := cmp.Diff(portsOf(w.serviceNamed("podinfo")), side.Spec.Ports); diff != "" || side.Spec.Type != corev1.ServiceTypeClusterIP {
			t.Errorf("%s is of type %s, its ports (-want +got):\n%s", name, side.Spec.Type, diff)
		}
	}
}

// TestAnApexServiceOfOursFollowsTheSpec, and the container ports of the revision under analysis. A port
// that the primary still serves stays until the revision that drops it is promoted.
func TestAnApexServiceOfOursFollowsTheSpec(t *testing.T) {
	w := newWorld(t)
	w.create(w.deployment("podinfo:6.0.0"), w.canary(func(c *v1beta1.Canary) { c.Spec.Service.PortDiscovery = true }))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.edit(func(c *v1beta1.Canary) {
		c.Spec.Service.PortName, c.Spec.Service.Apex = "web", &v1beta1.CustomMetadata{Annotations: map[string]string{"note": "late"}}
	})
	names := func(service string) (names []string) {
		for _, p := range w.serviceNamed(service).Spec.Ports {
			names = append(names, p.Name)
		}
		return names
	}
	w.eventually("name and note are taken", func() bool {
		return cmp.Equal([]string{"web"}, names("podinfo")) && w.serviceNamed("podinfo").Annotations["note"] == "late"
	})
	setPorts := func(image string, ports ...corev1.ContainerPort) {
		alter(w, "podinfo", &appsv1.Deployment{}, func(d *appsv1.Deployment) {
			d.Spec.Template.Spec.Containers[0].Image = image
			d.Spec.Template.Spec.Containers[0].Ports = append([]corev1.ContainerPort{{Name: "http", ContainerPort: 9898}}, ports...)
		})
	}
	setPorts("podinfo:6.0.1", corev1.ContainerPort{Name: "grpc", ContainerPort: 9999})
	w.takesWeight(50)
	for _, service := range []string{"podinfo", "podinfo-primary", "podinfo-canary"} {
		if diff := cmp.Diff([]string{"web", "grpc"}, names(service)); diff != "" {
			t.Errorf("ports of %s (-want +got):\n%s", service, diff)
		}
	}
	w.ends(1)
	setPorts("podinfo:6.0.2")
	w.takesWeight(50)
	if diff := cmp.Diff([]string{"web", "grpc"}, names("podinfo")); diff != "" {
		t.Errorf("a port that the primary serves is gone (-want +got):\n%s", diff)
	}
	w.ends(2)
	w.eventually("the port is gone with its promotion", func() bool {
		return cmp.Equal([]string{"web"}, names("podinfo")) && cmp.Equal([]string{"web"}, names("podinfo-canary"))
	})
}

// TestTheSidesOfAHeadlessServiceAreHeadless, and a later wish for something else is said.
func TestTheSidesOfAHeadlessServiceAreHeadless(t *testing.T) {
	w := newWorld(t)
	w.create(w.deployment("podinfo:6.0.0"), w.canary(func(c *v1beta1.Canary) { c.Spec.Service.Headless = true }))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	for _, name := range []string{"podinfo", "podinfo-primary", "podinfo-canary"} {
		if got := w.serviceNamed(name).Spec.ClusterIP; got != corev1.ClusterIPNone {
			t.Errorf("%s has the address %s", name, got)
		}
	}
	w.edit(func(c *v1beta1.Canary) { c.Spec.Service.Headless = false })
	w.eventually("it is said", func() bool {
		c := meta.FindStatusCondition(w.get().Status.Conditions, v1beta1.ConditionWarning)
		return c != nil && c.Reason == "HeadlessKept"
	})
	w.setImage("podinfo:6.0.1")
	if c := w.ends(1); c.Status.Phase != v1beta1.PhaseSucceeded {
		t.Errorf("ended as %s\n%s", c.Status.Phase, w.story())
	}
}

// TestAUsersHeadlessServiceHasHeadlessSides: whoever asks DNS for a side gets pods too.
func TestAUsersHeadlessServiceHasHeadlessSides(t *testing.T) {
	w := newWorld(t)
	apex := w.service()
	apex.Spec.ClusterIP = corev1.ClusterIPNone
	w.create(w.deployment("podinfo:6.0.0"), apex, w.canary())
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	if got := w.serviceNamed("podinfo-primary").Spec.ClusterIP; got != corev1.ClusterIPNone {
		t.Errorf("the primary's Service has the address %s", got)
	}
}
