package canary

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// TestWhatWasMadeTooLateGoes, and nothing that may serve: a Canary whose finalizer somebody removed has left
// its primary with all that leads to it.
func TestWhatWasMadeTooLateGoes(t *testing.T) {
	meta := func(name, canary, key, value string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "apps", Name: name, Labels: map[string]string{v1beta1.CanaryLabel: canary, key: value}}
	}
	c := fake.NewClientBuilder().WithObjects(
		&discoveryv1.EndpointSlice{ObjectMeta: meta("late", "podinfo", discoveryv1.LabelManagedBy, bridgeManager)},
		&discoveryv1.EndpointSlice{ObjectMeta: meta("of-kubernetes", "podinfo", discoveryv1.LabelManagedBy, "endpointslice-controller.k8s.io")},
		&discoveryv1.EndpointSlice{ObjectMeta: meta("of-another", "backend", discoveryv1.LabelManagedBy, bridgeManager)},
		&corev1.Service{ObjectMeta: meta("podinfo-release", "podinfo", v1beta1.RoleLabel, v1beta1.RoleRelease)},
		&corev1.Service{ObjectMeta: meta("podinfo-primary", "podinfo", v1beta1.RoleLabel, v1beta1.RolePrimary)},
	).Build()
	r := &Reconciler{client: newFreshClient(c, time.Now), live: c}
	if err := r.sweepLate(t.Context(), types.NamespacedName{Namespace: "apps", Name: "podinfo"}); err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, list := range []client.ObjectList{&discoveryv1.EndpointSliceList{}, &corev1.ServiceList{}} {
		if err := c.List(t.Context(), list); err != nil {
			t.Fatal(err)
		}
		switch l := list.(type) {
		case *discoveryv1.EndpointSliceList:
			for i := range l.Items {
				left = append(left, l.Items[i].Name)
			}
		case *corev1.ServiceList:
			for i := range l.Items {
				left = append(left, l.Items[i].Name)
			}
		}
	}
	if slices.Sort(left); !slices.Equal(left, []string{"of-another", "of-kubernetes", "podinfo-primary"}) {
		t.Errorf("left are %v", left)
	}
}
