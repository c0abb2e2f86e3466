package suite

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/apis/v1beta1"
)

func TestPromotion(t *testing.T) {
	s := open(t, "promotion", fine)
	s.setImage("6.0.1")
	s.untilEnded("6.0.1", v1beta1.OutcomePromoted)
	s.serves("6.0.1")
	s.wantWeights(0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 0)
	s.wantShares("6.0.1", 5*time.Second)
}

// TestAdoption turns a Deployment that serves into a template while users reach it through its Service,
// with no gateway between.
func TestAdoption(t *testing.T) {
	t.Parallel()
	s := prepare(t, "adoption")
	s.both(func(s *scene) {
		s.must(s.RolledOut(t.Context(), s.ns, "podinfo"))
		s.loadDirect("users")
	})
	s.sleep(settle)
	s.adopt(quick)
	s.both(func(s *scene) {
		s.must(s.WaitInitialized(t.Context(), s.ns))
		set, pods, err := s.Replicas(t.Context(), s.ns, "podinfo")
		s.must(err)
		if set != 0 {
			t.Errorf("podinfo is set to %d pods (%d are there), want 0: it is a template", set, pods)
		}
	})
	// The old pods end, and the connections to them.
	s.sleep(20 * time.Second)
	s.serves("6.0.0")
}

// wantWeights asserts every weight that the route had, in its order.
func (s *scene) wantWeights(want ...int64) {
	s.Helper()
	s.both(func(s *scene) { s.Helper(); s.wantOwnWeights(want...) })
}

// wantOwnWeights is for scenes that do something at a certain step, where the other one may be a step behind.
func (s *scene) wantOwnWeights(want ...int64) {
	s.Helper()
	if diff := cmp.Diff(want, s.route.values(s.T)); diff != "" {
		s.Errorf("weights of the route in %s (-want +got):\n%s", s.ns, diff)
	}
}

// deviations of chance that a share may be off; one time in 16,000 it is more.
const deviations = 4

// wantShares asserts that at each weight Envoy sent the canary that share of the requests. It looks at
// one interval only: after the last one the primary rolls to the same version.
func (s *scene) wantShares(tag string, interval time.Duration) {
	s.Helper()
	s.both(func(s *scene) { s.Helper(); s.wantOwnShares(tag, interval) })
}

func (s *scene) wantOwnShares(tag string, interval time.Duration) {
	s.Helper()
	weights := s.route.seen(s.T)
	for i := 0; i+1 < len(weights); i++ {
		w, next := weights[i], weights[i+1]
		if w.canary == 0 {
			continue
		}
		from, to := w.at.Add(s.gateway.reaction).Truncate(time.Second), w.at.Add(interval).Truncate(time.Second)
		if next.at.Before(to) {
			to = next.at.Truncate(time.Second)
		}
		got := s.users(from, to)
		if got.Sent == 0 {
			s.Errorf("weight %d was in force for %v only", w.canary, next.at.Sub(w.at))
			continue
		}
		p := float64(w.canary) / 100
		allowed := 100 * deviations * math.Sqrt(p*(1-p)/float64(got.Sent))
		if off := math.Abs(got.Share(tag) - float64(w.canary)); off > allowed {
			s.Errorf("weight %d: %v, which is %.1f points off and %.1f may be chance", w.canary, got, off, allowed)
		}
	}
}
