package rollout

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/analysis"
)

// TestNothingUsersDoBreaksARollout plays half an hour of things that go on around a canary, chosen
// by chance: new images, reverts, suspensions, edits of steps and of the route, revisions that never
// start, outages, lost statuses. The sim checks its invariants after every write; when all is quiet
// again the canary must be at rest with what the target holds, or hold it as rejected.
func TestNothingUsersDoBreaksARollout(t *testing.T) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 2))
			s := newSim(t, func(c *v1beta1.Canary) {
				c.Spec.ProgressDeadlineSeconds = new(int32)
				*c.Spec.ProgressDeadlineSeconds = 60
				strategy(c, r.IntN(kinds))
			})
			s.jitter = r
			for range 5 + r.IntN(15) {
				mischief(s, r, time.Duration(r.Int64N(int64(25*time.Minute))))
			}
			s.user(26*time.Minute, "all is well again", func() { settle(s) })
			s.run(60 * time.Minute)
			s.checkRest()
		})
	}
}

// mischief schedules one thing that users or the world do.
func mischief(s *sim, r *rand.Rand, at time.Duration) {
	tags := []string{"6.0.0", "6.0.1", "6.0.2", "6.1.0"}
	tag := tags[r.IntN(len(tags))]
	switch r.IntN(18) {
	case 0, 1, 2, 3:
		s.setImage(at, tag)
	case 4:
		s.user(at, tag+" does not start", func() { s.broken["podinfo-"+tag] = true })
	case 5:
		s.user(at, "Prometheus goes away", func() { s.reply = unavailable })
		s.user(at+time.Duration(r.Int64N(int64(2*time.Minute))), "Prometheus is back", func() { s.reply = healthy })
	case 6:
		s.user(at, "requests fail", func() { s.reply = succeedingAt(90) })
		s.user(at+time.Minute, "requests succeed", func() { s.reply = healthy })
	case 7:
		s.user(at, "suspend", func() { s.c.Spec.Suspend = true })
		s.user(at+time.Minute, "resume", func() { s.c.Spec.Suspend = false })
	case 8:
		s.user(at, "the status is lost", func() { s.c.Status = v1beta1.CanaryStatus{} })
	case 9:
		s.user(at, "somebody edits the route", func() { s.route.CanaryWeight = foreign })
	case 10:
		s.user(at, "somebody scales the template", func() { s.target.Replicas = int32(r.IntN(4)) })
	case 11:
		s.user(at, "somebody turns the Service back", func() { s.apex.ToPrimary = false })
	case 12:
		s.user(at, "the primary's pods die", func() { s.die("primary") })
	case 13, 14, 15, 16:
		texts := []string{"pause", "resume", "promote", "promote --full", "abort", "retry", "rollback", "rollback --to-image=" + tag, "restart"}
		s.tell(at, texts[r.IntN(len(texts))])
	default:
		kind := r.IntN(kinds)
		s.user(at, fmt.Sprintf("the strategy is edited to %d", kind), func() {
			s.c.Generation++
			strategy(s.c, kind)
		})
	}
}

// kinds is how many strategies there are to choose from.
const kinds = 9

// strategy gives a canary one of them.
func strategy(c *v1beta1.Canary, kind int) {
	a := &v1beta1.CanaryAnalysis{Interval: "10s", Threshold: 2, Metrics: c.Spec.Analysis.Metrics}
	switch kind {
	case 0:
		a.StepWeight, a.MaxWeight = 20, 40
	case 1:
		a.StepWeights = []int32{5, 25, 60}
	case 2:
		a.Iterations, a.Match = 3, insiders
	case 3:
		a.Iterations, a.Mirror = 2, true
	case 4:
		a.StepWeights, a.SessionAffinity = []int32{10, 50}, &v1beta1.SessionAffinity{CookieName: "ring"}
	case 5:
		a.StepWeight, a.StepWeightPromotion, a.Mirror = 30, 40, true
	case 6:
		a.Steps = []v1beta1.CanaryStep{{Match: insiders, Duration: "25s"}, {Weight: new(v1beta1.Weight(5))}, {Weight: new(v1beta1.Weight(500)), Mirror: 100}}
	case 7:
		a.StepWeight, a.BakeTime = 50, "45s"
	default:
		a.StepWeight = 50
		a.Webhooks = []v1beta1.CanaryWebhook{{Type: v1beta1.HookConfirmRollout, Name: "a"}, {Type: v1beta1.HookConfirmTrafficIncrease, Name: "b"},
			{Type: v1beta1.HookConfirmPromotion, Name: "c", Deadline: "30s"}, {Type: v1beta1.HookPreRollout, Name: "d"}}
	}
	c.Spec.Analysis = a
}

// settle ends all mischief; every revision can start from then on.
func settle(s *sim) {
	s.c.Spec.Suspend = false
	s.tell(s.now.Sub(s.begin)+time.Second, "resume")
	s.reply = healthy
	s.broken = map[string]bool{}
	for role, p := range map[string]*pods{"primary": s.primary, "canary": s.canary} {
		if p != nil {
			s.grow(role, p)
		}
	}
}

func unavailable(_ *sim, q Question) (Answer, bool) {
	m := "connection refused"
	return Answer{Measurement: analysis.Measurement{Evidence: analysis.Unavailable, Message: m},
		Counts: analysis.Counts{Message: m}, Traffic: analysis.Traffic{Message: m}}, true
}

func (s *sim) checkRest() {
	s.t.Helper()
	st := s.c.Status
	atRest := st.Phase == v1beta1.PhaseInitialized || st.Phase == v1beta1.PhaseSucceeded || st.Phase == v1beta1.PhaseFailed
	held := s.target.Revision.Name == st.LastPromotedSpec || s.target.Revision.Name == st.Rejected
	serves := s.primary.revision == st.LastPromotedSpec && s.primary.ready == s.primary.replicas && s.primary.ready > 0
	if !atRest || !held || !serves || s.route.CanaryWeight != 0 || s.route.Rules != "" || s.canary.replicas != 0 || s.target.Replicas != 0 {
		s.t.Errorf("not at rest: phase %s, target %s, promoted %s, rejected %q, route %s, primary %+v, canary %+v\n%s",
			st.Phase, s.target.Revision.Name, st.LastPromotedSpec, st.Rejected, s.route.CanaryWeight, *s.primary, *s.canary, s.out.String())
	}
}
