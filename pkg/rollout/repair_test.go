package rollout

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestARepairThatIsUnderWayIsNotAnotherOne: the Deployment controller writes to the target just when
// it is scaled back, so that the first tries end as conflicts. One edit of a user's must not use up
// what a fight is bounded by.
func TestARepairThatIsUnderWayIsNotAnotherOne(t *testing.T) {
	s := scenes[0].run(t, nil)
	s.target.Replicas, s.target.Writer = 3, "kubectl"
	begin := s.now
	var counted []int32
	for _, after := range []time.Duration{0, 200 * time.Millisecond, 400 * time.Millisecond, 3 * time.Second} {
		s.now = begin.Add(after)
		o := s.observed()
		d := Plan(o)
		if d.Next != nil {
			s.c.Status, o.Object.Status = *d.Next, *d.Next
		}
		if !Desired(o).EmptyTarget {
			t.Errorf("after %s the target is left as it is", after)
		}
		counted = append(counted, s.c.Status.Repairs.Replicas)
	}
	if diff := cmp.Diff([]int32{1, 1, 1, 2}, counted); diff != "" {
		t.Errorf("repairs (-want +got):\n%s", diff)
	}
}
