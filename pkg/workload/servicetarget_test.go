package workload

import (
	"encoding/json"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/serin-dev/serin/apis/v1beta1"
)

func makeServiceTarget(edits ...func(*corev1.Service)) *corev1.Service {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: "podinfo",
		Labels: map[string]string{"team": "shop", "helm.sh/chart": "x"}}}
	s.Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, ClusterIP: "10.0.0.1", ClusterIPs: []string{"10.0.0.1"},
		Selector: map[string]string{"app": "podinfo", "version": "blue"}, SessionAffinity: corev1.ServiceAffinityNone,
		ExternalTrafficPolicy: corev1.ServiceExternalTrafficPolicyLocal, HealthCheckNodePort: 30001,
		Ports: []corev1.ServicePort{{Name: "http", Port: 80, NodePort: 30000, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromString("http")}}}
	for _, edit := range edits {
		edit(s)
	}
	return s
}

// TestServiceFields: a revision is where a Service leads, and not its own address.
func TestServiceFields(t *testing.T) {
	want := map[string]any{"type": "ClusterIP", "sessionAffinity": "None", "selector": map[string]any{"app": "podinfo", "version": "blue"},
		"ports": []any{map[string]any{"name": "http", "port": int64(80), "protocol": "TCP", "targetPort": "http"}}}
	s := makeServiceTarget()
	if diff := cmp.Diff(want, ServiceFields(s)); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if s.Spec.Ports[0].NodePort != 30000 {
		t.Error("the Service itself was changed")
	}
}

func TestDestination(t *testing.T) {
	for want, s := range map[string]*corev1.Service{
		"app=podinfo,version=blue": makeServiceTarget(),
		"app=podinfo,version=red": makeServiceTarget(func(s *corev1.Service) {
			s.Spec.Selector = map[string]string{"app": "podinfo", "version": "red", v1beta1.ScaleToZeroKey: "true"}
		}),
		"blue.example.com": makeServiceTarget(func(s *corev1.Service) {
			s.Spec.Type, s.Spec.ExternalName = corev1.ServiceTypeExternalName, "blue.example.com"
		}),
	} {
		if got := Destination(s); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestASideOfAService is made, turned elsewhere and off, with what the revision has and no more. What
// others put on it stays.
func TestASideOfAService(t *testing.T) {
	target := makeServiceTarget()
	clone := ServiceClone{Canary: makeCanary(), Target: target, Role: v1beta1.RoleCanary, Revision: "podinfo-1", Fields: ServiceFields(target), On: true, Stamp: 7}
	b, err := json.Marshal(clone.Object())
	if err != nil {
		t.Fatal(err)
	}
	var live corev1.Service
	if err := json.Unmarshal(b, &live); err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{"team": "shop", v1beta1.CanaryLabel: "podinfo", v1beta1.RoleLabel: "canary", v1beta1.RevisionLabel: "podinfo-1"}
	if diff := cmp.Diff(labels, live.Labels); diff != "" || live.Spec.ClusterIP != "" || !clone.Same(&live) {
		t.Errorf("made with the address %q, same: %t, labels (-want +got):\n%s", live.Spec.ClusterIP, clone.Same(&live), diff)
	}
	live.ResourceVersion, live.Annotations["contact"] = "1", "shop"
	elsewhere := makeServiceTarget(func(s *corev1.Service) {
		s.Spec.Type, s.Spec.ExternalName, s.Spec.Selector, s.Spec.Ports = corev1.ServiceTypeExternalName, "blue.example.com", nil, nil
	})
	clone.Revision, clone.Fields = "podinfo-2", ServiceFields(elsewhere)
	live = patched(t, live, clone.Changes(&live))
	if live.Spec.ExternalName != "blue.example.com" || live.Spec.Selector != nil || live.Spec.Ports != nil || live.Annotations["contact"] != "shop" || !clone.Same(&live) {
		t.Errorf("turned elsewhere it is %+v", live)
	}
	clone.On = false
	live = patched(t, live, clone.Changes(&live))
	if ServiceOn(&live) || live.Spec.ExternalName != "blue.example.com" || !clone.Same(&live) {
		t.Errorf("turned off it is %+v", live)
	}
}

// patched is an object after a JSON patch.
func patched(t *testing.T, s corev1.Service, changes []Change) corev1.Service {
	t.Helper()
	before, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	ops, err := json.Marshal(changes)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(ops)
	if err != nil {
		t.Fatal(err)
	}
	after, err := patch.Apply(before)
	if err != nil {
		t.Fatalf("%v\n%s", err, ops)
	}
	var out corev1.Service
	if err := json.Unmarshal(after, &out); err != nil {
		t.Fatal(err)
	}
	return out
}
