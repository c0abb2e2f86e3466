package workload

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// TestDiscoveredPorts: what containers listen on for as long as the pod lives, each once, and nothing
// of a mesh's.
func TestDiscoveredPorts(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	port := func(name string, number int32, protocol corev1.Protocol) corev1.ContainerPort {
		return corev1.ContainerPort{Name: name, ContainerPort: number, Protocol: protocol}
	}
	found := func(name string, number int32, protocol corev1.Protocol) corev1.ServicePort {
		return corev1.ServicePort{Name: name, Port: number, Protocol: protocol, TargetPort: intstr.FromInt32(number)}
	}
	type containers = []corev1.Container
	for sentence, test := range map[string]struct {
		containers, init, primary containers
		want                      []corev1.ServicePort
	}{
		"another port of the container": {containers{{Name: "app", Ports: []corev1.ContainerPort{port("http", 9898, ""), port("grpc", 9999, "")}}}, nil, nil,
			[]corev1.ServicePort{found("grpc", 9999, "TCP")}},
		"a sidecar's, and no other init container's": {containers{{Name: "app"}},
			containers{{Name: "sidecar", RestartPolicy: &always, Ports: []corev1.ContainerPort{port("admin", 7000, "TCP")}},
				{Name: "migrate", Ports: []corev1.ContainerPort{port("x", 7001, "TCP")}}}, nil,
			[]corev1.ServicePort{found("admin", 7000, "TCP")}},
		"nothing of a mesh's, wherever it is injected": {containers{{Name: "envoy", Ports: []corev1.ContainerPort{port("e", 1, "TCP")}}},
			containers{{Name: "istio-proxy", RestartPolicy: &always, Ports: []corev1.ContainerPort{port("i", 15090, "TCP")}}}, nil, nil},
		"a port without a name": {containers{{Name: "app", Ports: []corev1.ContainerPort{port("", 53, "UDP"), port("", 53, "TCP")}}}, nil, nil,
			[]corev1.ServicePort{found("udp-53", 53, "UDP"), found("tcp-53", 53, "TCP")}},
		"a name that is taken": {containers{{Name: "app", Ports: []corev1.ContainerPort{port("admin", 7000, "TCP")}},
			{Name: "b", Ports: []corev1.ContainerPort{port("admin", 7001, "TCP"), port("main", 7002, "TCP")}}}, nil, nil,
			[]corev1.ServicePort{found("admin", 7000, "TCP"), found("tcp-7001", 7001, "TCP"), found("tcp-7002", 7002, "TCP")}},
		"a number that the Service uses for something else": {containers{{Name: "app", Ports: []corev1.ContainerPort{port("debug", 80, "TCP"), port("quic", 80, "UDP")}}}, nil, nil,
			[]corev1.ServicePort{found("quic", 80, "UDP")}},
		"what only the primary has": {containers{{Name: "app"}}, nil, containers{{Name: "app", Ports: []corev1.ContainerPort{port("old", 7003, "TCP")}}},
			[]corev1.ServicePort{found("old", 7003, "TCP")}},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := Services{
				Canary: makeCanary(func(c *v1beta1.Canary) {
					c.Spec.Service = v1beta1.CanaryService{Port: 80, PortName: "main", TargetPort: new(intstr.FromString("http")), PortDiscovery: true}
				}),
				Target: makeTarget(func(d *appsv1.Deployment) {
					d.Spec.Template.Spec.Containers, d.Spec.Template.Spec.InitContainers = test.containers, test.init
				}),
				Label: SelectorLabel{"app", "podinfo"},
			}
			if test.primary != nil {
				s.Primary = makeTarget(func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers = test.primary })
			}
			main := corev1.ServicePort{Name: "main", Port: 80, Protocol: "TCP", TargetPort: intstr.FromString("http")}
			if diff := cmp.Diff(append([]corev1.ServicePort{main}, test.want...), s.NewApex().Spec.Ports); diff != "" {
				t.Errorf("ports (-want +got):\n%s", diff)
			}
		})
	}
}
