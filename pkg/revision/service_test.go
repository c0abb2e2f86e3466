package revision

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/pkg/workload"
)

// TestASnapshotOfAService is found again whatever address the Service has, and can be returned to.
func TestASnapshotOfAService(t *testing.T) {
	target := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: "podinfo"},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, ClusterIP: "10.0.0.1", Selector: map[string]string{"version": "blue"},
			Ports: []corev1.ServicePort{{Port: 80, NodePort: 30000}}}}
	c := makeCanary("podinfo")
	c.Spec.TargetRef.APIVersion, c.Spec.TargetRef.Kind = "v1", "Service"
	s := makeStore(t, target)
	if _, known, err := s.LookupService(t.Context(), c, target); known || err != nil {
		t.Fatalf("before it was taken: %t %v", known, err)
	}
	s.take(t, c)
	s.take(t, c)
	moved := target.DeepCopy()
	moved.Spec.Type, moved.Spec.ClusterIP, moved.Spec.Ports[0].NodePort = corev1.ServiceTypeNodePort, "10.0.0.2", 30001
	got, known, err := s.LookupService(t.Context(), c, moved)
	if err != nil || !known || got.Image != "version=blue" {
		t.Fatalf("found %+v %t %v", got, known, err)
	}
	fields, err := s.ServiceFields(t.Context(), "apps", got.Name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(workload.ServiceFields(target), fields); diff != "" {
		t.Errorf("content (-want +got):\n%s", diff)
	}
	kept, err := s.Kept(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Kept{{RevisionStatus: got, Number: 1}}, kept); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	moved.Spec.Selector["version"] = "green"
	if _, known, _ := s.LookupService(t.Context(), c, moved); known {
		t.Error("another destination is taken for it")
	}
}
