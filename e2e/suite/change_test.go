package suite

import (
	"testing"
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// TestSupersession rolls out a second revision in the midst of the first: nobody meets it before its
// own first step.
func TestSupersession(t *testing.T) {
	t.Parallel()
	s := open(t, "supersession", quick)
	begin := time.Now()
	s.setImage("6.0.1")
	s.untilWeight("6.0.1", 20)
	s.setImage("6.0.2")
	s.untilEnded("6.0.2", v1beta1.OutcomePromoted)
	s.serves("6.0.2")
	weights := s.route.seen(t)
	rest := 0 // where the route was back at zero
	for i, w := range weights {
		if i > 0 && w.canary == 0 && rest == 0 {
			rest = i
		}
	}
	if rest == 0 || rest+1 >= len(weights) {
		t.Fatalf("weights %v, want two runs", s.route.values(t))
	}
	own := weights[rest+1]
	if before := s.users(begin, own.at.Truncate(time.Second)); before.Versions["6.0.2"] > 0 {
		t.Errorf("before the first step of 6.0.2, at %v, users got %v", own.at, before)
	}
	want := []int64{0, 10, 20}
	if rest == 4 { // the next step may have been taken while 6.0.2 was typed
		want = append(want, 30)
	}
	s.wantOwnWeights(append(want, 0, 10, 20, 30, 40, 50, 0)...)
}

// TestRevert puts back in mid-run what serves: there is nothing to analyse.
func TestRevert(t *testing.T) {
	t.Parallel()
	s := open(t, "revert", quick)
	s.setImage("6.0.1")
	s.untilWeight("6.0.1", 20)
	begin := time.Now()
	s.setImage("6.0.0")
	c := s.untilEnded("6.0.1", v1beta1.OutcomeReverted)
	if took := time.Since(begin); took > 45*time.Second {
		t.Errorf("it took %v, want no more than shifting back and draining", took)
	}
	if c.Status.Phase != v1beta1.PhaseInitialized {
		t.Errorf("phase %s, want Initialized", c.Status.Phase)
	}
	s.serves("6.0.0")
	if got := s.route.values(t); len(got) > 5 || got[len(got)-1] != 0 {
		t.Errorf("weights %v, want the way back to 0 at once", got)
	}
}
