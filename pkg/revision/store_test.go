package revision

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/workload"
)

func makeCanary(name string) *v1beta1.Canary {
	return &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: name},
		Spec: v1beta1.CanarySpec{TargetRef: v1beta1.LocalObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "podinfo"}}}
}

func makeTarget(image string) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: "podinfo"}}
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "1"}}
	d.Spec.Template = *makeTemplate(image)
	return d
}

func makeStore(t *testing.T, objects ...client.Object) Store {
	t.Helper()
	s := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	c := fake.NewClientBuilder().WithScheme(s).WithObjects(objects...).Build()
	return Store{Client: c, Live: c}
}

func (s Store) names(t *testing.T, c *v1beta1.Canary) []string {
	t.Helper()
	all, err := s.list(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range all {
		names = append(names, all[i].Name)
	}
	return names
}

func (s Store) take(t *testing.T, c *v1beta1.Canary) {
	t.Helper()
	if err := s.Take(t.Context(), c, client.ObjectKey{Namespace: "apps", Name: "podinfo"}); err != nil {
		t.Fatal(err)
	}
}

func TestASnapshotIsFoundByItsTemplate(t *testing.T) {
	target, c := makeTarget("podinfo:6.0.0"), makeCanary("podinfo")
	s := makeStore(t, target)
	if _, known, err := s.Lookup(t.Context(), c, target, &target.Spec.Template); known || err != nil {
		t.Fatalf("before it was taken: %t %v", known, err)
	}
	s.take(t, c)
	s.take(t, c) // the cache may not show the first one yet
	got, known, err := s.Lookup(t.Context(), c, target, &target.Spec.Template)
	if err != nil || !known {
		t.Fatalf("after it was taken: %t %v", known, err)
	}
	if diff := cmp.Diff(Describe("podinfo-"+Hash(&target.Spec.Template), &target.Spec.Template), got); diff != "" {
		t.Errorf("revision (-want +got):\n%s", diff)
	}
	raw, err := s.Template(t.Context(), "apps", got.Name)
	if err != nil {
		t.Fatal(err)
	}
	typed, err := typedTemplate(raw)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&target.Spec.Template, typed); diff != "" {
		t.Errorf("template (-want +got):\n%s", diff)
	}
	if _, known, _ := s.Lookup(t.Context(), c, makeTarget("podinfo:6.0.1"), makeTemplate("podinfo:6.0.1")); known {
		t.Error("another template is taken for it")
	}
}

// TestTheServerIsAskedOnlyWhatItMayExplain: each rollout would wait for its answer.
func TestTheServerIsAskedOnlyWhatItMayExplain(t *testing.T) {
	for name, tc := range map[string]struct {
		edit func(*corev1.PodTemplateSpec)
		want int
	}{
		"another image":                 {func(t *corev1.PodTemplateSpec) { t.Spec.Containers[0].Image = "podinfo:6.0.1" }, 0},
		"a field that a default may be": {func(t *corev1.PodTemplateSpec) { t.Spec.SchedulerName = "default-scheduler" }, 1},
		"a container that a webhook added": {func(t *corev1.PodTemplateSpec) {
			t.Spec.Containers = append(t.Spec.Containers, corev1.Container{Name: "proxy", Image: "proxy:1"})
		}, 1},
		"nothing": {func(*corev1.PodTemplateSpec) {}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			target, c := makeTarget("podinfo:6.0.0"), makeCanary("podinfo")
			s := makeStore(t, target)
			s.take(t, c)
			c.Status.LastPromotedSpec = s.names(t, c)[0]
			asked := 0
			s.Client = interceptor.NewClient(s.Client.(client.WithWatch), interceptor.Funcs{
				Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
					if slices.Contains(opts, client.CreateOption(client.DryRunAll)) {
						asked++
					}
					return c.Create(ctx, o, opts...)
				}})
			tc.edit(&target.Spec.Template)
			if err := s.Client.Update(t.Context(), target); err != nil {
				t.Fatal(err)
			}
			if s.take(t, c); asked != tc.want {
				t.Errorf("the server was asked %d times, want %d", asked, tc.want)
			}
		})
	}
}

// TestASnapshotOfAnEarlierCanaryIsTakenOver: two names for one content would leave the second without.
func TestASnapshotOfAnEarlierCanaryIsTakenOver(t *testing.T) {
	target := makeTarget("podinfo:6.0.0")
	s := makeStore(t, target)
	s.take(t, makeCanary("early"))
	s.take(t, makeCanary("late"))
	if _, known, err := s.Lookup(t.Context(), makeCanary("late"), target, &target.Spec.Template); !known || err != nil {
		t.Errorf("got %t %v", known, err)
	}
}

// TestCollectKeepsWhatIsReferredTo, and the newest of the others.
func TestCollectKeepsWhatIsReferredTo(t *testing.T) {
	c := makeCanary("podinfo")
	c.Status.LastPromotedSpec, c.Status.LastAppliedSpec, c.Status.Rejected = "old-1", "old-2", "old-3"
	c.Status.Rollout = &v1beta1.RolloutStatus{Revision: v1beta1.RevisionStatus{Name: "old-4"}, From: v1beta1.RevisionStatus{Name: "old-5"}}
	objects := []client.Object{makeTarget("podinfo:6.0.0")}
	for i := 1; i <= 20; i++ {
		objects = append(objects, &appsv1.ControllerRevision{Revision: int64(i), ObjectMeta: metav1.ObjectMeta{
			Namespace: "apps", Name: fmt.Sprintf("old-%d", i), Labels: map[string]string{v1beta1.CanaryLabel: "podinfo"},
			Annotations: map[string]string{HashAnnotation: fmt.Sprint(i)}}})
	}
	s := makeStore(t, objects...)
	s.take(t, c)
	got := s.names(t, c)
	want := []string{"old-1", "old-2", "old-3", "old-4", "old-5", "podinfo-" + Hash(makeTemplate("podinfo:6.0.0"))}
	for i := 11; i <= 20; i++ {
		want = append(want, fmt.Sprintf("old-%d", i))
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("snapshots (-want +got):\n%s", diff)
	}
}

// TestRevisionsOfADaemonSetAreNoSnapshots: Kubernetes keeps them in the same kind, with the labels of the pods.
func TestRevisionsOfADaemonSetAreNoSnapshots(t *testing.T) {
	c := makeCanary("podinfo")
	theirs := &appsv1.ControllerRevision{Revision: 7, Data: runtime.RawExtension{Raw: []byte(`{"spec":{"template":{"$patch":"replace"}}}`)},
		ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: "podinfo-primary-6d9f", Labels: map[string]string{v1beta1.CanaryLabel: "podinfo"}}}
	s := makeStore(t, makeTarget("podinfo:6.0.0"), theirs)
	s.take(t, c)
	kept, err := s.Kept(t.Context(), c)
	if err != nil || len(kept) != 1 || kept[0].Number != 1 {
		t.Errorf("kept %+v, %v, want the snapshot alone, as number 1", kept, err)
	}
}

func TestASnapshotWithoutATemplateSaysSo(t *testing.T) {
	s := makeStore(t, &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: "x"}, Data: runtime.RawExtension{Raw: []byte(`{}`)}})
	_, err := s.Template(t.Context(), "apps", "x")
	if want := "snapshot apps/x holds no template"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestAnEmptiedDaemonSetHoldsTheSameRevision: what keeps its pods away is ours, and no change of the
// user's template.
func TestAnEmptiedDaemonSetHoldsTheSameRevision(t *testing.T) {
	for sentence, test := range map[string]struct {
		before, after map[string]string
	}{
		"without a node selector": {nil, map[string]string{v1beta1.ScaleToZeroKey: "true"}},
		"with one of the user's":  {map[string]string{"disk": "ssd"}, map[string]string{"disk": "ssd", v1beta1.ScaleToZeroKey: "true"}},
		"emptied by Flagger":      {nil, map[string]string{"flagger.app/scale-to-zero": "true"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			set := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: "podinfo"}}
			set.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "1"}}
			set.Spec.Template = *makeTemplate("podinfo:6.0.0")
			set.Spec.Template.Spec.NodeSelector = test.before
			hash := Hash(workload.Of(set).Template())
			set.Spec.Template.Spec.NodeSelector = test.after
			c := makeCanary("podinfo")
			c.Spec.TargetRef.Kind = "DaemonSet"
			s := makeStore(t, set)
			s.take(t, c)
			if diff := cmp.Diff([]string{"podinfo-" + hash}, s.names(t, c)); diff != "" {
				t.Errorf("snapshots (-want +got):\n%s", diff)
			}
			raw, err := s.Template(t.Context(), "apps", "podinfo-"+hash)
			if err != nil {
				t.Fatal(err)
			}
			typed, err := typedTemplate(raw)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.before, typed.Spec.NodeSelector); diff != "" {
				t.Errorf("node selector in the snapshot (-want +got):\n%s", diff)
			}
		})
	}
}
