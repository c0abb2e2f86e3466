package canary

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/revision"
)

// TestWhatWasMadeTooLateGoes, and nothing that may serve: a Canary whose finalizer somebody removed has left
// its primary with all that leads to it.
func TestWhatWasMadeTooLateGoes(t *testing.T) {
	const name = "podinfo"
	object := func(name, canary, key, value string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "apps", Name: name, Labels: map[string]string{v1beta1.CanaryLabel: canary, key: value},
			Annotations: map[string]string{v1beta1.MadeForAnnotation: canary, v1beta1.TransitionAnnotation: "9", revision.HashAnnotation: "a"}}
	}
	gone := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: name, UID: "gone"},
		Status: v1beta1.CanaryStatus{Phase: v1beta1.PhaseTerminated}}
	adopted := gone.DeepCopy()
	adopted.Status.Phase = v1beta1.PhaseInitializing
	again := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: name, UID: "again"}}
	primary := &appsv1.Deployment{ObjectMeta: object("podinfo-primary", name, v1beta1.RoleLabel, v1beta1.RolePrimary)}
	users := []string{"of-another", "of-kubernetes", "of-users", "podinfo"}
	sides := []string{"podinfo-1234", "podinfo-primary"}
	tests := map[string]struct {
		released *v1beta1.Canary
		// seen is met after the release, and since is how long ago that was.
		seen  *v1beta1.Canary
		since time.Duration
		there []client.Object
		left  []string
	}{
		"a Canary that went otherwise":      {nil, nil, 0, nil, slices.Concat(users, sides)},
		"a Canary that we released":         {gone, gone, 0, nil, users},
		"one that we released long ago":     {gone, gone, lateLimit + 1, nil, slices.Concat(users, sides)},
		"one that was made again, and went": {gone, again, 0, nil, slices.Concat(users, sides)},
		"one that adopted again, and went":  {gone, adopted, 0, nil, slices.Concat(users, sides)},
		"one whose primary is there":        {gone, gone, 0, []client.Object{primary}, slices.Concat(users, sides)},
		"one that is there again, unseen":   {gone, gone, 0, []client.Object{again}, slices.Concat([]string{"late"}, users, sides, []string{"podinfo-release"})},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			c := inMemory(t, append(slices.Clone(test.there),
				&discoveryv1.EndpointSlice{ObjectMeta: object("late", name, discoveryv1.LabelManagedBy, bridgeManager)},
				&discoveryv1.EndpointSlice{ObjectMeta: object("of-kubernetes", name, discoveryv1.LabelManagedBy, "endpointslice-controller.k8s.io")},
				&discoveryv1.EndpointSlice{ObjectMeta: object("of-another", "backend", discoveryv1.LabelManagedBy, bridgeManager)},
				&corev1.Service{ObjectMeta: object("podinfo-release", name, v1beta1.RoleLabel, v1beta1.RoleRelease)},
				&corev1.Service{ObjectMeta: object("podinfo", name, v1beta1.RoleLabel, v1beta1.RolePrimary)}, // the apex
				&corev1.Service{ObjectMeta: object("podinfo-primary", name, v1beta1.RoleLabel, v1beta1.RolePrimary)},
				&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: "of-users", Labels: map[string]string{v1beta1.CanaryLabel: name}}},
				&appsv1.ControllerRevision{ObjectMeta: object("podinfo-1234", name, "", "")},
			)...)
			now := time.Now()
			r := assemble(Options{}, Deps{Now: func() time.Time { return now }}, c, c)
			if test.released != nil {
				r.released.note(test.released, now)
				r.released.see(test.seen)
			}
			now = now.Add(test.since)
			if err := r.sweepLate(t.Context(), types.NamespacedName{Namespace: "apps", Name: name}); err != nil {
				t.Fatal(err)
			}
			var left []string
			for _, list := range []client.ObjectList{&discoveryv1.EndpointSliceList{}, &corev1.ServiceList{}, &appsv1.ControllerRevisionList{}} {
				if err := c.List(t.Context(), list); err != nil {
					t.Fatal(err)
				}
				if err := meta.EachListItem(list, func(o runtime.Object) error {
					left = append(left, o.(client.Object).GetName())
					return nil
				}); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(test.left, slices.Sorted(slices.Values(left))); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
		})
	}
}
