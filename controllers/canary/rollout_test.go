package canary_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
)

// split shortens lists of what the route stood at.
func split(canary ...int32) []router.Weights {
	all := make([]router.Weights, len(canary))
	for i, w := range canary {
		all[i] = router.Percent(w)
	}
	return all
}

// rollouts are whole runs on the API server: what the user does, and what comes of it.
var rollouts = map[string]struct {
	edit     func(*v1beta1.Canary)
	play     func(*world)
	runs     int
	phase    v1beta1.Phase
	outcome  v1beta1.Outcome
	reason   string
	promoted string
	shifts   []router.Weights
}{
	"a healthy revision takes each step and is promoted": {
		edit: func(c *v1beta1.Canary) { c.Spec.Analysis.StepWeights = []int32{20, 50} },
		play: func(w *world) { w.setImage("podinfo:6.0.1") },
		runs: 1, phase: v1beta1.PhaseSucceeded, outcome: v1beta1.OutcomePromoted, reason: "Promoted",
		promoted: "podinfo:6.0.1", shifts: split(0, 20, 50, 0),
	},
	"a revision whose checks fail is rolled back": {
		play: func(w *world) { w.prom.succeed(96.2); w.setImage("podinfo:6.0.1") },
		runs: 1, phase: v1beta1.PhaseFailed, outcome: v1beta1.OutcomeFailed, reason: "ChecksFailed",
		promoted: "podinfo:6.0.0", shifts: split(0, 50, 0),
	},
	"pods that never start expose nobody": {
		edit: func(c *v1beta1.Canary) { c.Spec.ProgressDeadlineSeconds = ptr.To(int32(2)) },
		play: func(w *world) { w.images.Break("podinfo:6.0.1"); w.setImage("podinfo:6.0.1") },
		runs: 1, phase: v1beta1.PhaseFailed, outcome: v1beta1.OutcomeFailed, reason: "CanaryNotReady",
		promoted: "podinfo:6.0.0", shifts: split(0),
	},
	"a canary that loses its pods under traffic goes back before the next check": {
		edit: func(c *v1beta1.Canary) { c.Spec.Analysis.Interval = "10m" },
		play: func(w *world) {
			w.setImage("podinfo:6.0.1")
			w.takesWeight(50)
			w.fallIll("podinfo-canary", "podinfo:6.0.1", w.endpoints("podinfo-canary"))
		},
		runs: 1, phase: v1beta1.PhaseFailed, outcome: v1beta1.OutcomeFailed, reason: "CanaryLost",
		promoted: "podinfo:6.0.0", shifts: split(0, 50, 0),
	},
	"a newer revision replaces the one under analysis from weight 0 on": {
		play: func(w *world) {
			w.setImage("podinfo:6.0.1")
			w.takesWeight(50)
			w.setImage("podinfo:6.0.2")
		},
		runs: 2, phase: v1beta1.PhaseSucceeded, outcome: v1beta1.OutcomePromoted, reason: "Promoted",
		promoted: "podinfo:6.0.2", shifts: split(0, 50, 0, 50, 0),
	},
	"putting the template back ends the run at once": {
		play: func(w *world) {
			w.setImage("podinfo:6.0.1")
			w.takesWeight(50)
			w.setImage("podinfo:6.0.0")
		},
		runs: 1, phase: v1beta1.PhaseInitialized, outcome: v1beta1.OutcomeReverted, reason: "Reverted",
		promoted: "podinfo:6.0.0", shifts: split(0, 50, 0),
	},
	"an A/B test sends only what matches, and all else stays": {
		edit: func(c *v1beta1.Canary) {
			c.Spec.Analysis.StepWeights, c.Spec.Analysis.Iterations = nil, 2
			c.Spec.Analysis.Match = []v1beta1.CanaryMatch{{Headers: map[string]v1beta1.StringMatch{"x-canary": {Exact: "insider"}}}}
		},
		play: func(w *world) {
			w.setImage("podinfo:6.0.1")
			w.eventually("the route has the match", func() bool { return w.get().Status.Rollout != nil && w.get().Status.Rollout.Rules != nil })
		},
		runs: 1, phase: v1beta1.PhaseSucceeded, outcome: v1beta1.OutcomePromoted, reason: "Promoted",
		promoted: "podinfo:6.0.1", shifts: split(0),
	},
	"blue/green switches all at once after its checks": {
		edit: func(c *v1beta1.Canary) { c.Spec.Analysis.StepWeights, c.Spec.Analysis.Iterations = nil, 2 },
		play: func(w *world) { w.setImage("podinfo:6.0.1") },
		runs: 1, phase: v1beta1.PhaseSucceeded, outcome: v1beta1.OutcomePromoted, reason: "Promoted",
		promoted: "podinfo:6.0.1", shifts: split(0, 100, 0),
	},
	"steps have tenths of a percent": {
		edit: func(c *v1beta1.Canary) {
			c.Spec.Analysis.StepWeights = nil
			c.Spec.Analysis.Steps = []v1beta1.CanaryStep{{Weight: ptr.To(v1beta1.Weight(5))}, {Weight: ptr.To(v1beta1.Weight(125))}}
		},
		play: func(w *world) { w.setImage("podinfo:6.0.1") },
		runs: 1, phase: v1beta1.PhaseSucceeded, outcome: v1beta1.OutcomePromoted, reason: "Promoted",
		promoted: "podinfo:6.0.1", shifts: []router.Weights{router.Split(0), router.Split(5), router.Split(125), router.Split(0)},
	},
	"a skipped analysis gives no traffic before the promotion": {
		edit: func(c *v1beta1.Canary) { c.Spec.SkipAnalysis = true },
		play: func(w *world) { w.setImage("podinfo:6.0.1") },
		runs: 1, phase: v1beta1.PhaseSucceeded, outcome: v1beta1.OutcomePromoted, reason: "Promoted",
		promoted: "podinfo:6.0.1", shifts: split(0),
	},
	"a tag that is moved under analysis is not promoted": {
		play: func(w *world) {
			w.setImage("podinfo:latest")
			w.takesWeight(50)
			w.images.Move("podinfo:latest")
		},
		runs: 1, phase: v1beta1.PhaseFailed, outcome: v1beta1.OutcomeFailed, reason: "ImageMoved",
		promoted: "podinfo:6.0.0", shifts: split(0, 50, 0),
	},
	"a primary that does not become ready goes back to what it was": {
		edit: func(c *v1beta1.Canary) { c.Spec.ProgressDeadlineSeconds = ptr.To(int32(4)) },
		play: func(w *world) {
			w.setImage("podinfo:6.0.1")
			w.takesWeight(50)
			w.images.Break("podinfo:6.0.1")
		},
		runs: 1, phase: v1beta1.PhaseFailed, outcome: v1beta1.OutcomeFailed, reason: "PrimaryNotReady",
		promoted: "podinfo:6.0.0", shifts: split(0, 50, 0),
	},
}

func TestRollouts(t *testing.T) {
	for sentence, test := range rollouts {
		t.Run(sentence, func(t *testing.T) {
			w, _ := adopted(t, func(c *v1beta1.Canary) {
				if test.edit != nil {
					test.edit(c)
				}
			})
			test.play(w)
			c := w.ends(test.runs)
			last := c.Status.History[len(c.Status.History)-1]
			if c.Status.Phase != test.phase || last.Outcome != test.outcome || last.Reason != test.reason {
				t.Errorf("ended as %s: %s %s, want %s: %s %s\n%s", c.Status.Phase, last.Outcome, last.Reason, test.phase, test.outcome, test.reason, w.story())
			}
			if got := c.Status.Promoted.Image; got != test.promoted {
				t.Errorf("%s is promoted, want %s", got, test.promoted)
			}
			if diff := cmp.Diff(test.shifts, w.router.Shifts(w.key())); diff != "" {
				t.Errorf("the route's weights (-want +got):\n%s", diff)
			}
			w.atRest(test.promoted)
		})
	}
}

// atRest holds the whole world against how it is between two rollouts.
func (w *world) atRest(image string) {
	w.t.Helper()
	primary, subject, target := w.deploymentNamed("podinfo-primary"), w.deploymentNamed("podinfo-canary"), w.deploymentNamed("podinfo")
	if got := primary.Spec.Template.Spec.Containers[0].Image; got != image || *primary.Spec.Replicas != 2 {
		w.t.Errorf("the primary runs %d pods of %s, want 2 of %s", *primary.Spec.Replicas, got, image)
	}
	if *subject.Spec.Replicas != 0 || *target.Spec.Replicas != 0 {
		w.t.Errorf("the canary has %d replicas and the target %d, want none", *subject.Spec.Replicas, *target.Spec.Replicas)
	}
	var apex corev1.Service
	w.read("podinfo", &apex)
	if diff := cmp.Diff(map[string]string{"app": "podinfo-primary"}, apex.Spec.Selector); diff != "" {
		w.t.Errorf("selector of the apex Service (-want +got):\n%s", diff)
	}
}

// TestSuspendHoldsARunAndItsClocks: nothing is written while it is set, and the run goes on after it.
func TestSuspendHoldsARunAndItsClocks(t *testing.T) {
	w, op := adopted(t)
	w.setImage("podinfo:6.0.1")
	w.takesWeight(50)
	w.edit(func(c *v1beta1.Canary) { c.Spec.Suspend = true })
	w.eventually("it is suspended", func() bool {
		return w.get().Status.SuspendedAt != nil && w.toldAll() && op.requests.quietFor(stillness)
	})
	before := len(op.requests.all())
	w.stays("the weight is held", 3*stillness, func() bool { return w.get().Status.CanaryWeight == v1beta1.Percent(50) })
	if asked := op.requests.all()[before:]; len(asked) > 0 {
		t.Errorf("asked while suspended: %v", asked)
	}
	w.edit(func(c *v1beta1.Canary) { c.Spec.Suspend = false })
	if c := w.ends(1); c.Status.Phase != v1beta1.PhaseSucceeded {
		t.Errorf("ended as %s\n%s", c.Status.Phase, w.story())
	}
}

// TestARejectedRevisionIsHeldUntilTheTemplateChanges: a restart or a resync is no reason to try again.
func TestARejectedRevisionIsHeldUntilTheTemplateChanges(t *testing.T) {
	w, op := adopted(t)
	w.prom.succeed(96.2)
	w.setImage("podinfo:6.0.1")
	w.ends(1)
	w.prom.succeed(99.8)
	op.stop()
	w.observed(w.operate())
	if n := len(w.get().Status.History); n != 1 {
		t.Errorf("%d rollouts, want 1\n%s", n, w.story())
	}
	w.setImage("podinfo:6.0.2")
	if c := w.ends(2); c.Status.Promoted.Image != "podinfo:6.0.2" {
		t.Errorf("%s is promoted\n%s", c.Status.Promoted.Image, w.story())
	}
}
