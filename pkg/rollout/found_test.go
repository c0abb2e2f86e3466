package rollout

import (
	"strings"
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
	s.user(40*time.Second, "a pod of the canary dies, and takes long to come back", func() {
		s.startup = 25 * time.Second
		s.canary.ready--
		s.grow("canary", s.canary)
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

// TestAnEditOfASuspendedRouteIsLetGo: somebody sent traffic to the canary while nothing was repaired. Its
// next pods come when the proxies cannot have that any more, whatever begins the rollout.
func TestAnEditOfASuspendedRouteIsLetGo(t *testing.T) {
	for begins, begin := range map[string]func(*sim, time.Duration){
		"a push": func(s *sim, at time.Duration) { s.setImage(at, "6.0.2") },
		"a gate": func(s *sim, at time.Duration) {
			s.setImage(2*time.Minute-time.Second, "6.0.2")
			s.user(2*time.Minute-2*time.Second, "the gate closes", func() { s.reply = opensAfter("g", at) })
		},
		"an undo": func(s *sim, at time.Duration) { s.tell(at+100*time.Millisecond, "rollback") },
	} {
		t.Run(begins, func(t *testing.T) {
			s := newSim(t, func(c *v1beta1.Canary) {
				iterate(c, 1)
				if begins == "a gate" {
					gates(c, v1beta1.CanaryWebhook{Type: v1beta1.HookConfirmRollout, Name: "g"})
				}
			})
			s.setImage(30*time.Second, "6.0.1")
			s.user(2*time.Minute, "suspend", func() { s.c.Spec.Suspend = true })
			s.user(2*time.Minute+time.Second, "somebody edits the route, and the proxies follow", func() {
				s.route.CanaryWeight, s.inProxy = foreign, foreign
			})
			s.user(3*time.Minute, "resume", func() { s.c.Spec.Suspend = false })
			begin(s, 3*time.Minute)
			s.run(10 * time.Minute)
			if st := s.c.Status; st.Phase != v1beta1.PhaseSucceeded || st.Rollout.Number != 2 {
				t.Errorf("%s after rollout %d\n%s", st.Phase, st.Rollout.Number, s.out.String())
			}
		})
	}
}

// TestADeletedCanaryComesBackAsItWas: what the promotion has proven carries traffic until it is over.
func TestADeletedCanaryComesBackAsItWas(t *testing.T) {
	s := newSim(t, nil)
	s.startup = 10 * time.Second
	s.setImage(30*time.Second, "6.0.1")
	s.user(70*time.Second, "somebody deletes the canary's Deployment", func() {
		if r := s.c.Status.Rollout; r.Step != v1beta1.StepCopying {
			t.Errorf("in step %s\n%s", r.Step, s.out.String())
		}
		s.canary = nil
	})
	s.user(71*time.Second, "it is made again", func() {
		if s.canary == nil || s.canary.revision != rev("6.0.1").Name {
			t.Errorf("the canary is %+v\n%s", s.canary, s.out.String())
		}
	})
	s.run(5 * time.Minute)
	s.checkRest()
}

// TestARejectedStepBackIsSaid where the traffic returns in steps: the next one waits for it.
func TestARejectedStepBackIsSaid(t *testing.T) {
	s := newSim(t, func(c *v1beta1.Canary) { c.Spec.Analysis.StepWeightPromotion = 10 })
	s.setImage(30*time.Second, "6.0.1")
	s.user(60*time.Second, "the gateway rejects the route", func() {
		if r := s.c.Status.Rollout; r.Step != v1beta1.StepShiftingBack {
			t.Errorf("in step %s\n%s", r.Step, s.out.String())
		}
		s.route.Rejected = "no such upstream"
	})
	s.user(90*time.Second, "it takes the route", func() {
		if c := condition(s.c.Status.Conditions, v1beta1.ConditionStalled); c.Status != metav1.ConditionTrue || c.Reason != "RouteRejected" {
			t.Errorf("nothing says that the route was rejected: %+v", c)
		}
		s.route.Rejected = ""
	})
	s.run(5 * time.Minute)
	s.checkRest()
}

// TestARouteThatCannotBeMadeIsSaid while the traffic returns, as its kind may have been removed by then.
func TestARouteThatCannotBeMadeIsSaid(t *testing.T) {
	s := newSim(t, func(c *v1beta1.Canary) { c.Spec.Analysis.StepWeightPromotion = 10 })
	s.setImage(30*time.Second, "6.0.1")
	kept := s.route
	s.user(60*time.Second, "somebody removes the route's kind", func() {
		if r := s.c.Status.Rollout; r.Step != v1beta1.StepShiftingBack {
			t.Errorf("in step %s\n%s", r.Step, s.out.String())
		}
		kept = s.route
		s.route = Route{Problem: &Problem{Reason: "GlooNotInstalled", Message: "the cluster does not know RouteTable"}}
		s.refused = "route"
	})
	s.user(90*time.Second, "it is there again", func() {
		if c := condition(s.c.Status.Conditions, v1beta1.ConditionStalled); c.Status != metav1.ConditionTrue || c.Reason != "GlooNotInstalled" {
			t.Errorf("nothing says that the route cannot be made: %+v", c)
		}
		s.route, s.refused = kept, ""
	})
	s.run(5 * time.Minute)
	s.checkRest()
}

// TestNoStepIsLeftOutOnTheWayBack: the primary is back before the route has taken the detour by the warm
// canary, as where the operator died in front of that write. It is taken all the same: it was decided and told.
func TestNoStepIsLeftOutOnTheWayBack(t *testing.T) {
	s := newSim(t, func(c *v1beta1.Canary) { c.Spec.Analysis.BakeTime = "2m" })
	s.setImage(30*time.Second, "6.0.1")
	s.user(85*time.Second, "errors begin", func() { s.reply = succeedingAt(96.2) })
	s.crash = func(s *sim) bool {
		if r := s.c.Status.Rollout; r != nil && r.Step == v1beta1.StepRestoring && s.now.Before(simStart.Add(2*time.Minute)) {
			s.refused = "route"
		}
		return false
	}
	s.user(2*time.Minute, "it takes the route", func() {
		if r := s.c.Status.Rollout; r.Step != v1beta1.StepRestoring || s.primary.revision != rev("6.0.0").Name || s.primary.ready != s.primary.replicas {
			t.Errorf("in step %s with the primary %+v\n%s", r.Step, s.primary, s.out.String())
		}
		s.refused = ""
	})
	s.run(5 * time.Minute)
	if !strings.Contains(s.out.String(), "write    route 0/100") {
		t.Errorf("the warm canary never got the traffic\n%s", s.out.String())
	}
	s.checkRest()
}
