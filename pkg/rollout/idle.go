package rollout

import (
	"fmt"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// idle waits for a template that is neither promoted nor rejected. It costs nothing.
func (p *plan) idle() {
	if p.Route.Problem != nil {
		p.stall(*p.Route.Problem)
	}
	t := p.Target.Revision
	switch {
	case t.Name == "":
		// the snapshot of a template not seen before is being taken
	case t.Name == p.status.LastPromotedSpec:
		p.unreject()
	case t.Name == p.status.Rejected:
		// held until the template changes
	case p.waiting.stalled:
		// a rollout would not get where it has to: the condition says why
	case p.status.PausedAt != nil:
		p.wait("Paused", fmt.Sprintf("%s waits: the canary is paused. kubectl serin resume %s goes on", t.Image, p.Object.Name))
	case p.Ahead != "":
		p.wait("WaitingForOthers", fmt.Sprintf("%s waits: %s", t.Image, p.Ahead))
	case !p.routeHolds(0):
		p.wait("RouteNotAtRest", "a new revision waits until the route is back at 0 % for the canary")
	default:
		p.startRollout(t, p.Target.Change)
	}
}

// unreject lets go of a rejected revision once the template is back at what serves, so that the
// same revision may be tried again later.
func (p *plan) unreject() {
	if p.status.Rejected == "" {
		return
	}
	p.status.Rejected = ""
	p.status.Phase = v1beta1.PhaseInitialized
	p.status.LastAppliedSpec = p.status.LastPromotedSpec
	p.move(Telling{Reason: "Reverted", Moment: Notice, Severity: Info,
		What: fmt.Sprintf("%s is back at %s, which serves", p.spec.TargetRef.Name, p.status.Promoted.Image),
		Next: "The rejected revision may be tried again"})
}

// startRollout begins the analysis of a revision, and says why. Nothing of the run before it is
// inherited.
func (p *plan) startRollout(r v1beta1.RevisionStatus, why string) {
	skipped := p.recently(r.Name)
	p.beginRollout(r)
	run := p.status.Rollout
	run.Skipped = skipped
	t := Telling{Reason: "NewRevision", Moment: Started, Severity: Info,
		What: fmt.Sprintf("%s → %s (rollout %d)", run.From.Image, r.Image, run.Number), Why: why}
	if gates := p.hooks(v1beta1.HookConfirmRollout); len(gates) > 0 && skipped == "" {
		p.status.Phase = v1beta1.PhaseWaiting
		p.enter(v1beta1.StepConfirming, 0)
		run.CanaryReplicas = 0
		t.Next = fmt.Sprintf("It starts when %s has said yes", gates[0].Name)
		p.move(t)
		return
	}
	p.beginStarting(t)
}

// beginStarting asks for the canary's pods.
func (p *plan) beginStarting(t Telling) {
	run := p.status.Rollout
	p.status.Phase = v1beta1.PhaseProgressing
	p.enter(v1beta1.StepStarting, p.Object.ProgressDeadline())
	first, _ := p.upcoming()
	run.CanaryReplicas = p.need(first.Capacity)
	t.Next = fmt.Sprintf("Starting %s, at most until %s", podsOf(run.CanaryReplicas, "canary"), clock(run.Until.Time))
	p.move(t)
}

// beginRollout makes a fresh rollout status; the caller enters its first step.
func (p *plan) beginRollout(r v1beta1.RevisionStatus) {
	number := int64(1)
	if last := p.status.Rollout; last != nil {
		number = last.Number + 1
	}
	p.status.Rollout = &v1beta1.RolloutStatus{
		Number: number, Revision: r, From: *p.status.Promoted, StartedAt: micro(p.Now),
		Weights: int32(len(p.listed())), PrimaryReplicas: max(p.Primary.Replicas, 1),
		CanaryReplicas: p.Canary.Replicas,
	}
	p.bakeCookies()
	p.status.Rollout.Plan = v1beta1.ListDigest(p.listed())
	p.status.LastAppliedSpec = r.Name
	p.status.Rejected = ""
	if p.Now.Before(routeSettles(p.status)) {
		p.status.Repairs = &v1beta1.RepairStatus{RouteAt: p.status.Repairs.RouteAt}
	} else {
		p.status.Repairs = nil
	}
	p.status.FailedChecks, p.status.InconclusiveChecks, p.status.Iterations = 0, 0, 0
	p.status.Checks, p.status.SeenWeight, p.status.Receipts = nil, "", nil
}
