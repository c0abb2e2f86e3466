package rollout

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// TestPodsThatTakeLongerThanAnInterval keep a rollout waiting, and not writing.
func TestPodsThatTakeLongerThanAnInterval(t *testing.T) {
	s := newSim(t, func(c *v1beta1.Canary) {
		c.Spec.Analysis.StepWeight, c.Spec.Analysis.MaxWeight, c.Spec.Analysis.StepWeights = 0, 0, []int32{5, 60}
	})
	s.setImage(30*time.Second, "6.0.1")
	s.user(40*time.Second, "the canary's pods die, and take long to come back", func() {
		s.startup = 25 * time.Second
		s.die("canary")
	})
	s.run(5 * time.Minute)
	if st := s.c.Status; st.Phase != v1beta1.PhaseSucceeded || s.writes > 60 {
		t.Errorf("%s after %d status writes\n%s", st.Phase, s.writes, s.out.String())
	}
}

// TestMatchesEndWithTheRollback that began while the primary had no ready pod: whoever matched is let go
// once it has one.
func TestMatchesEndWithTheRollback(t *testing.T) {
	s := newSim(t, func(c *v1beta1.Canary) {
		iterate(c, 10)
		c.Spec.Analysis.Match = insiders
	})
	s.setImage(30*time.Second, "6.0.1")
	s.user(50*time.Second, "the primary's pods die, and errors begin", func() {
		s.reply, s.startup = succeedingAt(90), time.Minute
		s.die("primary")
	})
	s.user(70*time.Second, "the rollback waits", func() {
		if s.route.Rules == "" {
			t.Errorf("requests that match go to a primary without pods\n%s", s.out.String())
		}
	})
	s.run(5 * time.Minute)
	s.checkRest()
}

func TestARejectedRouteIsSaidDuringTheAdoption(t *testing.T) {
	s := newSim(t, nil)
	s.user(3*time.Second, "the gateway rejects the route", func() { s.route.Rejected = "no such upstream" })
	s.user(30*time.Second, "it takes the route", func() {
		if c := condition(s.c.Status.Conditions, v1beta1.ConditionStalled); c == nil || c.Status != metav1.ConditionTrue || c.Reason != "RouteRejected" {
			t.Errorf("nothing says that the route was rejected: %+v", c)
		}
		s.route.Rejected = ""
	})
	s.run(2 * time.Minute)
	s.checkRest()
}
