package rollout

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// steered are the stories that somebody steers by hand.
var steered = []scene{
	{name: "paused and resumed", lasts: 4 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.tell(36*time.Second, "pause")
			s.tell(80*time.Second, "resume")
		}},
	{name: "paused, and the checks fail", lasts: 4 * time.Minute, phase: v1beta1.PhaseFailed, promoted: "6.0.0",
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.tell(36*time.Second, "pause")
			s.user(70*time.Second, "errors begin", func() { s.reply = succeedingAt(96.2) })
			s.tell(110*time.Second, "resume")
		}},
	{name: "paused at rest", lasts: 4 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		play: func(s *sim) {
			s.tell(25*time.Second, "pause")
			s.setImage(30*time.Second, "6.0.1")
			s.tell(80*time.Second, "resume")
		}},
	{name: "promoted by hand", lasts: 3 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.tell(37*time.Second, "promote")
			s.tell(39*time.Second, "promote")
		}},
	{name: "promoted in full", lasts: 3 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		edit: func(c *v1beta1.Canary) {
			gates(c, v1beta1.CanaryWebhook{Type: v1beta1.HookConfirmRollout, Name: "never"})
		},
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.reply = opensAfter("never", time.Hour)
			s.tell(45*time.Second, "promote --full")
		}},
	{name: "a paused step goes on by command", lasts: 3 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		edit: func(c *v1beta1.Canary) {
			c.Spec.Analysis.StepWeight, c.Spec.Analysis.MaxWeight = 0, 0
			c.Spec.Analysis.Steps = []v1beta1.CanaryStep{{Weight: new(v1beta1.Weight(100)), Pause: true}, {Weight: new(v1beta1.Weight(500))}}
		},
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1"); s.tell(70*time.Second, "promote") }},
	{name: "aborted and tried again", lasts: 4 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.tell(48*time.Second, "abort")
			s.tell(80*time.Second, "retry")
		}},
	{name: "aborted while the primary rolls", lasts: 4 * time.Minute, phase: v1beta1.PhaseFailed, promoted: "6.0.0",
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.user(53*time.Second, "pods take longer", func() { s.startup = 20 * time.Second })
			s.tell(60*time.Second, "abort")
		}},
	{name: "rolled back after the promotion", lasts: 5 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.0",
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1"); s.tell(90*time.Second, "rollback") }},
	{name: "rolled back from rejected contents", lasts: 6 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.0",
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.user(99*time.Second, "errors begin", func() { s.reply = succeedingAt(96.2) })
			s.setContents(100*time.Second, "6.0.1", "red")
			s.user(199*time.Second, "errors end", func() { s.reply = healthy })
			s.tell(200*time.Second, "rollback")
		}},
	{name: "rolled back within the window", lasts: 5 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.0",
		edit: func(c *v1beta1.Canary) { c.Spec.RollbackWindow = &v1beta1.RollbackWindow{Revisions: 2} },
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1"); s.tell(90*time.Second, "rollback --to-image=6.0.0") }},
	{name: "git revert within the window", lasts: 5 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.0",
		edit: func(c *v1beta1.Canary) { c.Spec.RollbackWindow = &v1beta1.RollbackWindow{Revisions: 2} },
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1"); s.setImage(90*time.Second, "6.0.0") }},
	{name: "a rollback is left for a newer template", lasts: 6 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.2",
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.tell(90*time.Second, "rollback")
			s.setImage(105*time.Second, "6.0.2")
		}},
	{name: "a rollback that fails", lasts: 5 * time.Minute, phase: v1beta1.PhaseFailed, promoted: "6.0.1",
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.tell(90*time.Second, "rollback")
			s.user(91*time.Second, "errors begin", func() { s.reply = succeedingAt(96.2) })
		}},
	{name: "baked", lasts: 4 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		edit: func(c *v1beta1.Canary) { c.Spec.Analysis.BakeTime = "45s" },
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1") }},
	{name: "rolled back while it bakes", lasts: 5 * time.Minute, phase: v1beta1.PhaseFailed, promoted: "6.0.0",
		edit: func(c *v1beta1.Canary) { c.Spec.Analysis.BakeTime = "2m" },
		play: func(s *sim) {
			s.setImage(30*time.Second, "6.0.1")
			s.user(85*time.Second, "errors begin", func() { s.reply = succeedingAt(96.2) })
		}},
	{name: "aborted while it bakes", lasts: 5 * time.Minute, phase: v1beta1.PhaseFailed, promoted: "6.0.0",
		edit: func(c *v1beta1.Canary) { c.Spec.Analysis.BakeTime = "2m" },
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1"); s.tell(95*time.Second, "abort") }},
	{name: "put back while it bakes, without an analysis", lasts: 5 * time.Minute, phase: v1beta1.PhaseInitialized, promoted: "6.0.0",
		edit: func(c *v1beta1.Canary) { c.Spec.SkipAnalysis, c.Spec.Analysis.BakeTime = true, "2m" },
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1"); s.setImage(60*time.Second, "6.0.0") }},
	{name: "a fix after a bake that went back cold", lasts: 25 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.2",
		edit: func(c *v1beta1.Canary) { c.Spec.Analysis.BakeTime = "1m" }, play: failBakeCold(4 * time.Minute)},
	{name: "another fix after a bake that went back cold", lasts: 40 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.3",
		edit: func(c *v1beta1.Canary) { c.Spec.Analysis.BakeTime = "1m" }, play: failBakeCold(15*time.Minute, 20*time.Minute)},
	{name: "a newer revision while it bakes", lasts: 5 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.2",
		edit: func(c *v1beta1.Canary) { c.Spec.Analysis.BakeTime = "30s" },
		play: func(s *sim) { s.setImage(30*time.Second, "6.0.1"); s.setImage(85*time.Second, "6.0.2") }},
	{name: "others go first", lasts: 3 * time.Minute, phase: v1beta1.PhaseSucceeded, promoted: "6.0.1",
		play: func(s *sim) {
			s.ahead = "Canary apps/database has a rollout under way (dependsOn)"
			s.setImage(30*time.Second, "6.0.1")
			s.user(60*time.Second, "the database is done", func() { s.ahead = "" })
		}},
}

// failBakeCold fails a bake whose warm pods have died, and whose primary does not get back to what they ran.
// Fixes come at these times, and errors end with the last of them.
func failBakeCold(fixes ...time.Duration) func(*sim) {
	return func(s *sim) {
		s.setImage(30*time.Second, "6.0.1")
		s.user(80*time.Second, "6.0.0 does not start any more, its warm pods die, and errors begin", func() {
			s.broken["podinfo-6.0.0"] = true
			s.die("canary")
			s.reply = succeedingAt(90)
		})
		for i, at := range fixes {
			s.setImage(at, fmt.Sprintf("6.0.%d", i+2))
		}
		s.user(fixes[len(fixes)-1], "errors end", func() { s.reply = healthy })
	}
}

// TestCommandsThatMakeNoSense: each is refused with the reason, and changes nothing.
func TestCommandsThatMakeNoSense(t *testing.T) {
	tests := map[string]struct {
		play func(*sim)
		text string
		says string
	}{
		"promote at rest":               {nil, "promote", "no rollout is under way"},
		"abort at rest":                 {nil, "abort", "kubectl serin rollback podinfo returns to what served before"},
		"resume what is not paused":     {nil, "resume", "it is not paused"},
		"pause twice":                   {func(s *sim) { s.tell(20*time.Second, "pause") }, "pause", "it has been paused since 10:00:20Z"},
		"retry what was not rejected":   {nil, "retry", "no revision is rejected"},
		"rollback with nothing before":  {nil, "rollback", "nothing served before"},
		"rollback to what serves":       {nil, "rollback --to-image=6.0.0", "podinfo:6.0.0 serves already"},
		"rollback to what is not there": {nil, "rollback --to-revision=9", "no snapshot of it is kept (there are 1: podinfo:6.0.0)"},
		"rollback elsewhere in mid-run": {func(s *sim) { s.setImage(30*time.Second, "6.0.1") }, "rollback --to-revision=1", "kubectl serin abort podinfo first"},
		"restart in mid-run":            {func(s *sim) { s.setImage(30*time.Second, "6.0.1") }, "restart", "which replaces the pods anyway"},
		"retry what failed as it baked": {func(s *sim) {
			s.c.Spec.Analysis.BakeTime, s.startup = "2m", 2*time.Second
			s.setImage(15*time.Second, "6.0.1")
			s.tell(18*time.Second, "promote --full")
			s.user(30*time.Second, "6.0.0 does not start any more", func() { s.broken["podinfo-6.0.0"] = true })
			s.tell(32*time.Second, "abort")
		}, "retry", "podinfo-primary goes back to podinfo:6.0.0, and nothing else has been proven"},
		"retry what was taken back": {func(s *sim) {
			s.setImage(15*time.Second, "6.0.1")
			s.user(19*time.Second, "6.0.0 does not start any more", func() { s.broken["podinfo-6.0.0"] = true })
			s.tell(20*time.Second, "promote --full")
			s.setImage(22*time.Second, "6.0.0")
		}, "retry", "set it to podinfo:6.0.1 again, and that is promoted"},
		"anything while suspended": {func(s *sim) { s.user(20*time.Second, "suspend", func() { s.c.Spec.Suspend = true }) }, "pause", "set spec.suspend to false first"},
		"anything while adopting":  {nil, "pause", "the adoption is not through yet"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSim(t, nil)
			if tt.play != nil {
				tt.play(s)
			}
			at := 40 * time.Second
			if name == "anything while adopting" {
				at = 2 * time.Second
			}
			s.tell(at, tt.text)
			s.run(at + time.Second)
			c := s.c.Status.Command
			if c == nil || !c.Refused || !strings.Contains(c.Message, tt.says) {
				t.Errorf("command %+v, want a refusal that says %q\n%s", c, tt.says, s.out.String())
			}
		})
	}
}

// TestAnOldCommandIsNotTakenUp: a Canary that is made again with the annotation of long ago obeys nothing.
func TestAnOldCommandIsNotTakenUp(t *testing.T) {
	s := newSim(t, nil)
	s.tell(0, "pause")
	s.run(time.Minute)
	if st := s.c.Status; st.PausedAt != nil || st.Command == nil || !st.Command.Refused {
		t.Errorf("paused at %v by %+v", st.PausedAt, st.Command)
	}
}

// TestARestartReplacesPods: the mark is wished for the primary and nothing else happens.
func TestARestartReplacesPods(t *testing.T) {
	s := newSim(t, nil)
	s.tell(30*time.Second, "restart")
	s.run(time.Minute)
	if w := Desired(s.observed()); w.Primary.RestartedAt != "2026-11-22T10:00:30Z" || s.c.Status.Rollout != nil {
		t.Errorf("the primary is marked %q, rollout %v", w.Primary.RestartedAt, s.c.Status.Rollout)
	}
}
