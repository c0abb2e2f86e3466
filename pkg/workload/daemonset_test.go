package workload

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/serin-dev/serin/apis/v1beta1"
)

func makeDaemonSet(edits ...func(*appsv1.DaemonSet)) *appsv1.DaemonSet {
	from := makeDeployment()
	d := &appsv1.DaemonSet{ObjectMeta: from.ObjectMeta}
	d.Spec.Selector, d.Spec.Template = from.Spec.Selector, from.Spec.Template
	d.Spec.Template.Spec.NodeSelector = map[string]string{"disk": "ssd"}
	for _, edit := range edits {
		edit(d)
	}
	return d
}

func emptied(d *appsv1.DaemonSet) { d.Spec.Template.Spec.NodeSelector[v1beta1.ScaleToZeroKey] = "true" }

// TestReplicasOfADaemonSet: one whose pods are not there yet is not empty, and one that is emptied has
// none wanted while its last pods still go.
func TestReplicasOfADaemonSet(t *testing.T) {
	scheduled := func(n int32) func(*appsv1.DaemonSet) {
		return func(d *appsv1.DaemonSet) { d.Status.DesiredNumberScheduled = n }
	}
	for sentence, test := range map[string]struct {
		set  *appsv1.DaemonSet
		want int32
	}{
		"the nodes give the number": {makeDaemonSet(scheduled(3)), 3},
		"nothing is reported yet":   {makeDaemonSet(), 1},
		"it is emptied":             {makeDaemonSet(scheduled(3), emptied), 0},
		"Flagger emptied it": {makeDaemonSet(scheduled(3), func(d *appsv1.DaemonSet) {
			d.Spec.Template.Spec.NodeSelector = map[string]string{"flagger.app/scale-to-zero": "true"}
		}), 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			set := Of(test.set)
			if got := set.Replicas(); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
			if set.Sized(0) != (test.want == 0) || set.Sized(7) != (test.want > 0) {
				t.Errorf("a DaemonSet has none or all: sized(0) is %t, sized(7) is %t", set.Sized(0), set.Sized(7))
			}
		})
	}
}

// TestTheCloneOfADaemonSet: it is emptied by a node selector that fits no node, and rolls with a pod
// more on each node.
func TestTheCloneOfADaemonSet(t *testing.T) {
	clone := makeClone(t, Of(makeDaemonSet(emptied)))
	clone.Template["spec"].(map[string]any)["nodeSelector"] = map[string]any{"disk": "ssd"}
	pace := map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"maxUnavailable": int64(0), "maxSurge": int64(1)}}
	for sentence, test := range map[string]struct {
		replicas int32
		nodes    map[string]any
	}{
		"with pods":    {3, map[string]any{"disk": "ssd"}},
		"without pods": {0, map[string]any{"disk": "ssd", "serin.dev/scale-to-zero": "true"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			clone.Replicas = test.replicas
			u := clone.Object()
			spec := u.Object["spec"].(map[string]any)
			if u.GetKind() != "DaemonSet" || spec["replicas"] != nil {
				t.Errorf("it is a %s with replicas %v", u.GetKind(), spec["replicas"])
			}
			if diff := cmp.Diff(pace, spec["updateStrategy"]); diff != "" {
				t.Errorf("update strategy (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.nodes, spec["template"].(map[string]any)["spec"].(map[string]any)["nodeSelector"]); diff != "" {
				t.Errorf("node selector (-want +got):\n%s", diff)
			}
		})
	}
}

// TestChanges: a Deployment's size is left to whoever sizes it while only its template changes; a
// DaemonSet's stands in the template and is written with it.
func TestChanges(t *testing.T) {
	sizes := func(changes []Change) map[string]any {
		out := map[string]any{}
		for _, c := range changes {
			if c.Path != "/spec/template" && c.Path != "/spec/strategy" && c.Path != "/spec/updateStrategy" {
				out[c.Path] = c.Value
			}
		}
		return out
	}
	off := map[string]any{"disk": "ssd", v1beta1.ScaleToZeroKey: "true"}
	for sentence, test := range map[string]struct {
		live           Object
		replicas       int32
		template, size bool
		want           map[string]any
	}{
		"a Deployment's template":      {makeTarget(), 3, true, false, map[string]any{}},
		"a Deployment's size":          {makeTarget(), 3, false, true, map[string]any{"/spec/replicas": int64(3)}},
		"a DaemonSet's template":       {Of(makeDaemonSet()), 3, true, false, map[string]any{"/spec/template/spec/nodeSelector": map[string]any{}}},
		"an empty DaemonSet's":         {Of(makeDaemonSet(emptied)), 0, true, false, map[string]any{"/spec/template/spec/nodeSelector": map[string]any{v1beta1.ScaleToZeroKey: "true"}}},
		"a DaemonSet that is emptied":  {Of(makeDaemonSet()), 0, false, true, map[string]any{"/spec/template/spec/nodeSelector": off}},
		"a DaemonSet that gets pods":   {Of(makeDaemonSet(emptied)), 1, false, true, map[string]any{"/spec/template/spec/nodeSelector": map[string]any{"disk": "ssd"}}},
		"nothing but the Canary label": {Of(makeDaemonSet()), 1, false, false, map[string]any{}},
	} {
		t.Run(sentence, func(t *testing.T) {
			clone := makeClone(t, test.live)
			clone.Replicas = test.replicas
			if diff := cmp.Diff(test.want, sizes(clone.Changes(test.live, test.template, test.size))); diff != "" {
				t.Errorf("changes of the size (-want +got):\n%s", diff)
			}
		})
	}
}

func TestADaemonSetThatWaitsForDeletionsIsRefused(t *testing.T) {
	set := makeDaemonSet(func(d *appsv1.DaemonSet) { d.Spec.UpdateStrategy.Type = appsv1.OnDeleteDaemonSetStrategyType })
	want := []string{"its update strategy is OnDelete: set spec.updateStrategy.type to RollingUpdate"}
	if diff := cmp.Diff(want, Refusals(Of(set))); diff != "" {
		t.Errorf("refusals (-want +got):\n%s", diff)
	}
}

func TestThePaceOfADaemonSet(t *testing.T) {
	set := makeDaemonSet(func(d *appsv1.DaemonSet) {
		d.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateDaemonSet{MaxSurge: new(intstr.FromString("20%")), MaxUnavailable: new(intstr.FromInt32(1))}
	})
	field, got := Of(set).pace()
	want := map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"maxUnavailable": int64(0), "maxSurge": "20%"}}
	if diff := cmp.Diff(want, got); diff != "" || field != "updateStrategy" {
		t.Errorf("%s (-want +got):\n%s", field, diff)
	}
}
