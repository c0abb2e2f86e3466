package main

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// next says what happens by itself, and when at the latest. At rest nothing does, and the reason says
// what would start it.
func next(c *v1beta1.Canary, now time.Time) string {
	s := &c.Status
	r := s.Rollout
	switch {
	case s.Release != nil:
		return nextRelease(c, s.Release, now)
	case mustAct(c):
		return "Serin goes on by itself once that is mended"
	case c.Spec.Suspend:
		return "nothing, until spec.suspend is false"
	case s.Initialization != nil:
		return "the adoption goes on when that has come true" + otherwise("it is reported as stalled", s.Initialization.Until, now)
	case r == nil || r.EndedAt != nil:
		return ""
	case r.Gate != nil:
		return waitingFor(s)
	default:
		return nextStep(c, r, now)
	}
}

func nextRelease(c *v1beta1.Canary, rel *v1beta1.ReleaseStatus, now time.Time) string {
	switch {
	case c.Status.Phase == v1beta1.PhaseTerminated:
		return ""
	case rel.Step == v1beta1.StepRemoving:
		return "it is done, when what Serin made is gone"
	case rel.Stays != "":
		return "it is done, with what stays" + otherwise("so is the rest", rel.Until, now)
	default:
		return fmt.Sprintf("the traffic goes back to %s %s, when that has come true", c.Spec.TargetRef.Kind, c.Spec.TargetRef.Name) +
			otherwise("what is safe is done, and said,", rel.Until, now)
	}
}

// waitingFor is what the operator said when it came to the gate.
func waitingFor(s *v1beta1.CanaryStatus) string {
	for _, e := range slices.Backward(s.Journal) {
		if e.Reason == "WaitingForApproval" || e.Reason == "StillWaiting" {
			return e.Next
		}
	}
	return "it goes on when the gate says yes"
}

func nextStep(c *v1beta1.Canary, r *v1beta1.RolloutStatus, now time.Time) string {
	switch r.Step {
	case v1beta1.StepStarting:
		return "the first traffic, when the canary's pods are ready" + otherwise("it is rolled back", r.Until, now)
	case v1beta1.StepAnalysing:
		return "the next check " + due(r.NextCheckAt, now)
	case v1beta1.StepBaking:
		return fmt.Sprintf("the next check %s; the watch ends %s", due(r.NextCheckAt, now), due(r.Until, now))
	case v1beta1.StepCopying:
		return fmt.Sprintf("all traffic to %s, when its pods are ready", c.PrimaryName()) + otherwise("it goes back to "+r.From.Image, r.Until, now)
	case v1beta1.StepRestoring:
		return fmt.Sprintf("all traffic to %s, when it is back at %s", c.PrimaryName(), r.From.Image) + otherwise("it is told once more", r.Until, now)
	case v1beta1.StepShiftingBack:
		return "the canary drains, when the gateway has followed" + otherwise("it is taken to have followed", r.Until, now)
	case v1beta1.StepDraining:
		return "the canary goes to zero pods, when it is drained" + otherwise("it does so anyway", r.Until, now)
	case v1beta1.StepScalingDown:
		return "it ends, when the canary has no pods left"
	default:
		return ""
	}
}

// otherwise says what happens when a wait is over.
func otherwise(what string, until *metav1.MicroTime, now time.Time) string {
	if until == nil {
		return ""
	}
	return fmt.Sprintf("; if not, %s %s", what, due(until, now))
}

func due(t *metav1.MicroTime, now time.Time) string {
	switch {
	case t == nil:
		return "at a time that is not set"
	case t.After(now):
		return when(now, t.Time)
	default:
		return "was due " + when(now, t.Time)
	}
}

// steer is a command that makes sense now, and what it does.
type steer struct {
	verb        v1beta1.Verb
	flags, what string
}

// steers are the commands that the operator would not refuse, as far as the status tells.
func steers(c *v1beta1.Canary) []steer {
	s := &c.Status
	if c.Spec.Suspend || s.Promoted == nil || s.Initialization != nil || s.Release != nil || s.Phase == "" || !c.DeletionTimestamp.IsZero() {
		return nil
	}
	pause := steer{verb: v1beta1.VerbPause, what: "keep a new revision from starting"}
	if s.PausedAt != nil {
		pause = steer{verb: v1beta1.VerbResume, what: "let go of the pause"}
	}
	r := s.Rollout
	switch {
	case r == nil || r.EndedAt != nil:
		return append(steersAtRest(c), pause)
	case r.Step == v1beta1.StepRestoring && retriable(s):
		return []steer{{verb: v1beta1.VerbRetry, what: fmt.Sprintf("try %s on %s once more", r.Revision.Image, c.PrimaryName())}, pause}
	case r.Outcome != "" && r.Step != v1beta1.StepBaking:
		return []steer{pause} // it is on its way back to rest
	}
	abort := steer{verb: v1beta1.VerbAbort, what: fmt.Sprintf("roll %s back", r.Revision.Image)}
	switch r.Step {
	case v1beta1.StepCopying:
		return []steer{abort, pause}
	case v1beta1.StepBaking:
		return []steer{{verb: v1beta1.VerbPromote, what: "end the watch: " + r.Revision.Image + " stays"}, abort, pause}
	default:
		if s.PausedAt == nil {
			pause.what = "stay at this weight; it is judged on"
		}
		return []steer{
			{verb: v1beta1.VerbPromote, what: "go on to the next step without waiting for checks and gates"},
			{verb: v1beta1.VerbPromote, flags: " --full", what: fmt.Sprintf("promote %s without the rest of its analysis", r.Revision.Image)},
			abort, pause,
		}
	}
}

// retriable is true while the primary goes back after a promotion that failed: neither after a bake, which
// rejects the revision, nor where the template was put back.
func retriable(s *v1beta1.CanaryStatus) bool {
	r := s.Rollout
	return s.Rejected != r.Revision.Name && (r.Queued == nil || r.Queued.Name != s.LastPromotedSpec)
}

func steersAtRest(c *v1beta1.Canary) []steer {
	var all []steer
	if c.Status.Rejected != "" {
		all = append(all, steer{verb: v1beta1.VerbRetry, what: fmt.Sprintf("roll the rejected revision out once more, while %s holds it", c.Spec.TargetRef.Name)})
	}
	if len(c.Status.Promotions) > 1 {
		all = append(all, steer{verb: v1beta1.VerbRollback, what: "return to what served before"})
	}
	return append(all, steer{verb: v1beta1.VerbRestart, what: fmt.Sprintf("replace the pods of %s", c.PrimaryName())})
}
