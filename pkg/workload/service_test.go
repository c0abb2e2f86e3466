package workload

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/serin-dev/serin/apis/v1beta1"
)

func makeServices(apex *corev1.Service, edits ...func(*v1beta1.Canary)) Services {
	target := makeTarget(func(d *appsv1.Deployment) {
		ports := &d.Spec.Template.Spec.Containers[0].Ports
		*ports = append(*ports, corev1.ContainerPort{Name: "grpc", ContainerPort: 9999, Protocol: corev1.ProtocolTCP})
		d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers,
			corev1.Container{Name: "istio-proxy", Ports: []corev1.ContainerPort{{ContainerPort: 15090}}})
	})
	return Services{Canary: makeCanary(edits...), Target: target, Label: SelectorLabel{"app", "podinfo"}, Apex: apex}
}

func makeApex() *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "podinfo"}, Spec: corev1.ServiceSpec{
		Type: corev1.ServiceTypeNodePort, Selector: map[string]string{"app": "podinfo"},
		Ports: []corev1.ServicePort{{Name: "web", Port: 9898, NodePort: 30080, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromString("http")}},
	}}
}

// TestRoleServiceHasTheApexPorts, but is for the router alone: no node port, one side's pods.
func TestRoleServiceHasTheApexPorts(t *testing.T) {
	got := makeServices(makeApex(), func(c *v1beta1.Canary) {
		c.Spec.Service.Primary = &v1beta1.CustomMetadata{Labels: map[string]string{"mesh": "yes", "serin.dev/canary": "forged"},
			Annotations: map[string]string{"note": "kept"}}
	}).Role(v1beta1.RolePrimary)
	want := corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, Selector: map[string]string{"app": "podinfo-primary", "tier": "web"},
		Ports: []corev1.ServicePort{{Name: "web", Port: 9898, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromString("http")}}}
	if diff := cmp.Diff(want, got.Spec); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
	labels := map[string]string{"serin.dev/canary": "podinfo", "serin.dev/role": "primary", "mesh": "yes"}
	if diff := cmp.Diff(labels, got.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"note": "kept", "serin.dev/made-for": "podinfo"}, got.Annotations); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
}

func TestPortsOfAnApexThatIsMade(t *testing.T) {
	http := corev1.ServicePort{Name: "http", Port: 9898, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(9898)}
	for sentence, test := range map[string]struct {
		edit func(*v1beta1.Canary)
		want []corev1.ServicePort
	}{
		"the port alone": {func(*v1beta1.Canary) {}, []corev1.ServicePort{http}},
		"its names and target": {func(c *v1beta1.Canary) {
			c.Spec.Service.PortName, c.Spec.Service.AppProtocol = "web", "http2"
			c.Spec.Service.TargetPort = ptr.To(intstr.FromString("http"))
		}, []corev1.ServicePort{{Name: "web", Port: 9898, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromString("http"), AppProtocol: ptr.To("http2")}}},
		"the others are discovered, but not a sidecar's": {func(c *v1beta1.Canary) { c.Spec.Service.PortDiscovery = true },
			[]corev1.ServicePort{http, {Name: "grpc", Port: 9999, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(9999)}}},
	} {
		t.Run(sentence, func(t *testing.T) {
			if diff := cmp.Diff(test.want, makeServices(nil, test.edit).NewApex().Spec.Ports); diff != "" {
				t.Errorf("ports (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMissingPort(t *testing.T) {
	for sentence, test := range map[string]struct {
		apex *corev1.Service
		port int32
		want string
	}{
		"no Service of the user's": {nil, 80, ""},
		"the port is there":        {makeApex(), 9898, ""},
		"the port is missing": {makeApex(), 80,
			"Service podinfo has no port 80 (it has [9898]): set spec.service.port to one of them, or add it to the Service"},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := makeServices(test.apex, func(c *v1beta1.Canary) { c.Spec.Service.Port = test.port }).MissingPort()
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSameService(t *testing.T) {
	want := makeServices(makeApex()).Role(v1beta1.RoleCanary)
	for sentence, test := range map[string]struct {
		change func(*corev1.Service)
		same   bool
	}{
		"nothing changed":                    {func(*corev1.Service) {}, true},
		"the server and others added theirs": {func(s *corev1.Service) { s.Spec.ClusterIP = "10.0.0.1"; s.Labels["foreign"] = "yes" }, true},
		"a label of ours went":               {func(s *corev1.Service) { delete(s.Labels, v1beta1.CanaryLabel) }, false},
		"the selector was edited":            {func(s *corev1.Service) { s.Spec.Selector["app"] = "podinfo" }, false},
		"a port was edited":                  {func(s *corev1.Service) { s.Spec.Ports[0].TargetPort = intstr.FromInt32(1) }, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			live := want.DeepCopy()
			test.change(live)
			if got := SameService(live, want); got != test.same {
				t.Errorf("got %t, want %t", got, test.same)
			}
		})
	}
}

func TestAutoscaler(t *testing.T) {
	source := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: "scaler", Labels: map[string]string{"helm.sh/chart": "x", "team": "shop"}},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MinReplicas: ptr.To(int32(2)), MaxReplicas: 10,
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "podinfo"}},
	}
	for sentence, test := range map[string]struct {
		bounds   *v1beta1.ScalerReplicas
		floor    int32
		min, max int32
	}{
		"the bounds are the user's":                {nil, 0, 2, 10},
		"a floor above the minimum raises it":      {nil, 5, 5, 10},
		"a floor below the minimum changes none":   {nil, 1, 2, 10},
		"a floor never exceeds the maximum":        {nil, 20, 10, 10},
		"the spec's own bounds replace the copy's": {&v1beta1.ScalerReplicas{MinReplicas: ptr.To(int32(3)), MaxReplicas: ptr.To(int32(6))}, 4, 4, 6},
	} {
		t.Run(sentence, func(t *testing.T) {
			c := makeCanary(func(c *v1beta1.Canary) {
				c.Spec.AutoscalerRef = &v1beta1.AutoscalerReference{Name: "scaler", PrimaryScalerReplicas: test.bounds}
			})
			got := Autoscaler(c, source, "podinfo-primary", test.floor)
			if *got.Spec.MinReplicas != test.min || got.Spec.MaxReplicas != test.max {
				t.Errorf("bounds are %d to %d, want %d to %d", *got.Spec.MinReplicas, got.Spec.MaxReplicas, test.min, test.max)
			}
			if diff := cmp.Diff(map[string]string{"team": "shop", v1beta1.CanaryLabel: "podinfo"}, got.Labels); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
			if got.Name != "scaler-primary" || got.Spec.ScaleTargetRef.Name != "podinfo-primary" || *source.Spec.MinReplicas != 2 {
				t.Errorf("the copy is %s for %s", got.Name, got.Spec.ScaleTargetRef.Name)
			}
		})
	}
}
