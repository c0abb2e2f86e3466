package rollout

import (
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/analysis"
)

// strategies are the stories of everything but plain weights.
var strategies = []scene{
	{name: "a-b test", lasts: 3 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		edit: func(c *v1beta1.Canary) {
			iterate(c, 3)
			c.Spec.Analysis.Match = insiders
		},
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1") }},
	{name: "a-b test that fails", lasts: 3 * time.Minute, phase: v1beta1.PhaseFailed, promoted: "6.0.0",
		edit: func(c *v1beta1.Canary) {
			iterate(c, 10)
			c.Spec.Analysis.Match = insiders
		},
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1"); s.reply = succeedingAt(96.2) }},
	{name: "blue-green", lasts: 3 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		edit: func(c *v1beta1.Canary) { iterate(c, 2) },
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1") }},
	{name: "blue-green with copies is confirmed before the switch", lasts: 4 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		edit: func(c *v1beta1.Canary) {
			iterate(c, 2)
			c.Spec.Analysis.Mirror, c.Spec.Analysis.MirrorWeight = true, 50
			gates(c, v1beta1.CanaryWebhook{Type: v1beta1.HookConfirmPromotion, Name: "lead"})
		},
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1"); s.reply = opensAfter("lead", 90*time.Second) }},
	{name: "blue-green without a router", lasts: 3 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		edit: func(c *v1beta1.Canary) { iterate(c, 2) },
		play: func(s *sim) { s.route.Weighted = false; s.setImage(30*time.Second, "6.0.1") }},
	{name: "copies come before traffic", lasts: 3 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		edit: func(c *v1beta1.Canary) { c.Spec.Analysis.Mirror = true },
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1") }},
	{name: "copies that nothing makes", lasts: 3 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		edit: func(c *v1beta1.Canary) { c.Spec.Analysis.Mirror = true },
		play: func(s *sim) { s.route.NoCopies = true; s.setImage(30*time.Second, "6.0.1") }},
	{name: "users are kept while it runs", lasts: 3 * time.Minute, phase: v1beta1.PhaseFailed, promoted: "6.0.0",
		edit: func(c *v1beta1.Canary) {
			c.Spec.Analysis.SessionAffinity = &v1beta1.SessionAffinity{CookieName: "ring"}
		},
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.user(50*time.Second, "errors begin", func() { s.reply = succeedingAt(96.2) })
		}},
	{name: "steps", lasts: 6 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		edit: func(c *v1beta1.Canary) {
			c.Spec.Analysis.StepWeight, c.Spec.Analysis.MaxWeight = 0, 0
			c.Spec.Analysis.Steps = []v1beta1.CanaryStep{
				{Name: "insiders", Match: insiders, Duration: "25s"},
				{Name: "taste", Weight: new(v1beta1.Weight(5))},
				{Weight: new(v1beta1.Weight(250)), Webhooks: []v1beta1.CanaryWebhook{{Type: v1beta1.HookConfirmTrafficIncrease, Name: "lead", URL: "http://t"}}},
				{Weight: new(v1beta1.Weight(600)), Metrics: []v1beta1.CanaryMetric{{Name: v1beta1.MetricDuration, ThresholdRange: &v1beta1.ThresholdRange{Max: new(500.0)}}}},
			}
		},
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1"); s.reply = opensAfter("lead", 120*time.Second) }},
	{name: "steps edited in mid-run never jump", lasts: 4 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		edit: func(c *v1beta1.Canary) {
			c.Spec.Analysis.StepWeight, c.Spec.Analysis.MaxWeight, c.Spec.Analysis.StepWeights = 0, 0, []int32{10, 20, 30, 80}
		},
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.user(40*time.Second, "edit stepWeights: 5, 15, 25", func() {
				s.c.Generation++
				s.c.Spec.Analysis.StepWeights = []int32{5, 15, 25}
			})
		}},
	{name: "promotion in steps", lasts: 4 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		edit: func(c *v1beta1.Canary) { c.Spec.Analysis.StepWeightPromotion = 15 },
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1") }},
	{name: "a gate before the rollout", lasts: 4 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		edit: func(c *v1beta1.Canary) {
			gates(c, v1beta1.CanaryWebhook{Type: v1beta1.HookConfirmRollout, Name: "office hours", RemindAfter: "30s"})
		},
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.reply = opensAfter("office hours", 100*time.Second)
		}},
	{name: "a newer revision while a gate is closed", lasts: 4 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.2",
		edit: func(c *v1beta1.Canary) {
			gates(c, v1beta1.CanaryWebhook{Type: v1beta1.HookConfirmRollout, Name: "office hours"})
		},
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.setImage(60*time.Second, "6.0.2")
			s.reply = opensAfter("office hours", 100*time.Second)
		}},
	{name: "a gate before each weight", lasts: 4 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		edit: func(c *v1beta1.Canary) {
			gates(c, v1beta1.CanaryWebhook{Type: v1beta1.HookConfirmTrafficIncrease, Name: "pace"})
		},
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1"); s.reply = opensAfter("pace", 70*time.Second) }},
	{name: "a gate before the promotion is judged on", lasts: 4 * time.Minute, phase: v1beta1.PhaseFailed, promoted: "6.0.0",
		edit: func(c *v1beta1.Canary) {
			gates(c, v1beta1.CanaryWebhook{Type: v1beta1.HookConfirmPromotion, Name: "lead"})
		},
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.reply = opensAfter("lead", time.Hour)
			s.user(90*time.Second, "errors begin", func() {
				gate, bad := opensAfter("lead", time.Hour), succeedingAt(96.2)
				s.reply = func(s *sim, q Question) (Answer, bool) {
					if q.Kind == AskHook {
						return gate(s, q)
					}
					return bad(s, q)
				}
			})
		}},
	{name: "a gate that nobody opens rolls back", lasts: 4 * time.Minute, phase: v1beta1.PhaseFailed, promoted: "6.0.0",
		edit: func(c *v1beta1.Canary) {
			gates(c, v1beta1.CanaryWebhook{Type: v1beta1.HookConfirmPromotion, Name: "lead", Deadline: "1m"})
		},
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1"); s.reply = opensAfter("lead", time.Hour) }},
	{name: "a gate that nobody opens lets go on", lasts: 4 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		edit: func(c *v1beta1.Canary) {
			gates(c, v1beta1.CanaryWebhook{Type: v1beta1.HookConfirmPromotion, Name: "lead", Deadline: "1m", OnDeadline: v1beta1.OnDeadlineProceed, MuteAlert: true})
		},
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1"); s.reply = opensAfter("lead", time.Hour) }},
	{name: "a rollback hook says yes", lasts: 3 * time.Minute, phase: v1beta1.PhaseFailed, promoted: "6.0.0",
		edit: func(c *v1beta1.Canary) { gates(c, v1beta1.CanaryWebhook{Type: v1beta1.HookRollback, Name: "panic"}) },
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1"); s.reply = opensAfter("panic", 40*time.Second) }},
	{name: "a rollback hook says yes before the rollout", lasts: 3 * time.Minute, phase: v1beta1.PhaseFailed, promoted: "6.0.0",
		edit: func(c *v1beta1.Canary) {
			gates(c, v1beta1.CanaryWebhook{Type: v1beta1.HookConfirmRollout, Name: "office hours"}, v1beta1.CanaryWebhook{Type: v1beta1.HookRollback, Name: "panic"})
		},
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			gate, panics := opensAfter("office hours", time.Hour), opensAfter("panic", 60*time.Second)
			s.reply = func(s *sim, q Question) (Answer, bool) {
				if q.Kind == AskHook && q.Hook.Name == "panic" {
					return panics(s, q)
				}
				return gate(s, q)
			}
		}},
}

// TestAPausedStepWaits: a pause is told once, and nothing but a command ends it.
func TestAPausedStepWaits(t *testing.T) {
	s := newSim(t, func(c *v1beta1.Canary) {
		c.Spec.Analysis.StepWeight, c.Spec.Analysis.MaxWeight = 0, 0
		c.Spec.Analysis.Steps = []v1beta1.CanaryStep{{Weight: new(v1beta1.Weight(100)), Pause: true}, {Weight: new(v1beta1.Weight(500))}}
	})
	s.setImage(30*time.Second, "6.0.1")
	s.run(20 * time.Minute)
	st := s.c.Status
	if st.Phase != v1beta1.PhaseProgressing || st.CanaryWeight != 100 || st.Reason != "WaitingForApproval" || st.Rollout.Gate == nil {
		t.Errorf("phase %s at %s %% with reason %s and gate %v, want it to wait at 10 %%\n%s", st.Phase, st.CanaryWeight, st.Reason, st.Rollout.Gate, s.out.String())
	}
	if n := strings.Count(s.out.String(), "WaitingForApproval"); n != 1 {
		t.Errorf("told %d times, want once", n)
	}
}

var insiders = []v1beta1.CanaryMatch{{Headers: map[string]v1beta1.StringMatch{"x-canary": {Exact: "insider"}}}}

func iterate(c *v1beta1.Canary, n int32) {
	c.Spec.Analysis.StepWeight, c.Spec.Analysis.MaxWeight, c.Spec.Analysis.Iterations = 0, 0, n
}

func gates(c *v1beta1.Canary, hooks ...v1beta1.CanaryWebhook) {
	for _, h := range hooks {
		h.URL = "http://gates/check"
		c.Spec.Analysis.Webhooks = append(c.Spec.Analysis.Webhooks, h)
	}
}

// opensAfter is a gate that says no until some time after the beginning.
func opensAfter(name string, d time.Duration) func(*sim, Question) (Answer, bool) {
	return func(s *sim, q Question) (Answer, bool) {
		if q.Kind == AskHook && q.Hook.Name == name && s.now.Sub(s.begin) < d {
			return Answer{Measurement: analysis.Measurement{Evidence: analysis.Measured, Value: 0, Message: "HTTP 403: closed"}}, true
		}
		return healthy(s, q)
	}
}
