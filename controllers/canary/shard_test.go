package canary_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// TestACanaryIsHandedOverByItsLabel: in mid-run, from the operator without a shard to the one of a
// shard. Each works on its own canaries only, and the run goes on where it stood.
func TestACanaryIsHandedOverByItsLabel(t *testing.T) {
	w, first := adopted(t, func(c *v1beta1.Canary) { c.Spec.Analysis.StepWeights = []int32{10, 30, 50} })
	w.shard = "b"
	second := w.operate()
	w.setImage("podinfo:6.0.1")
	w.takesWeight(10)
	if writes := second.requests.writes(); len(writes) > 0 {
		t.Errorf("the operator of another shard wrote %v", writes)
	}
	w.edit(func(c *v1beta1.Canary) { c.Labels = map[string]string{v1beta1.ShardLabel: "b"} })
	w.takesWeight(30)
	before := len(first.requests.writes())
	c := w.ends(1)
	if c.Status.Phase != v1beta1.PhaseSucceeded {
		t.Errorf("ended as %s\n%s", c.Status.Phase, w.story())
	}
	if writes := first.requests.writes()[before:]; len(writes) > 0 {
		t.Errorf("the operator that it was taken from wrote %v", writes)
	}
	if len(second.requests.writes()) == 0 {
		t.Error("the operator that it was given to wrote nothing")
	}
	if diff := cmp.Diff(split(0, 10, 30, 50, 0), w.router.Shifts(w.key())); diff != "" {
		t.Errorf("the route's weights (-want +got):\n%s", diff)
	}
	w.wantOneEventForEachDecision()
	w.atRest("podinfo:6.0.1")
}
