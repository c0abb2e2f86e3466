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
	p.repairTarget()
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
	case !p.routeHolds(0):
		p.wait("RouteNotAtRest", "a new revision waits until the route is back at 0 % for the canary")
	default:
		p.startRollout(t)
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

// startRollout begins the analysis of a revision. Nothing of the run before it is inherited.
func (p *plan) startRollout(r v1beta1.RevisionStatus) {
	p.beginRollout(r)
	p.status.Phase = v1beta1.PhaseProgressing
	p.enter(v1beta1.StepStarting, p.Object.ProgressDeadline())
	run := p.status.Rollout
	run.CanaryReplicas = capacity(run.PrimaryReplicas, p.nextWeight())
	p.move(Telling{Reason: "NewRevision", Moment: Started, Severity: Info,
		What: fmt.Sprintf("%s → %s (rollout %d)", run.From.Image, r.Image, run.Number),
		Next: fmt.Sprintf("Starting %s, at most until %s", podsOf(run.CanaryReplicas, "canary"), clock(run.Until.Time))})
}

// beginRollout makes a fresh rollout status; the caller enters its first step.
func (p *plan) beginRollout(r v1beta1.RevisionStatus) {
	number := int64(1)
	if last := p.status.Rollout; last != nil {
		number = last.Number + 1
	}
	p.status.Rollout = &v1beta1.RolloutStatus{
		Number: number, Revision: r, From: *p.status.Promoted, StartedAt: micro(p.Now),
		Weights: int32(len(p.spec.Analysis.Steps())), PrimaryReplicas: max(p.Primary.Replicas, 1),
		CanaryReplicas: p.Canary.Replicas,
	}
	p.status.LastAppliedSpec = r.Name
	p.status.Rejected, p.status.Repairs = "", nil
	p.status.FailedChecks, p.status.InconclusiveChecks, p.status.Iterations = 0, 0, 0
	p.status.Checks, p.status.SeenWeight, p.status.Receipts = nil, "", nil
}

// maxReplicaRepairs bounds the fight over the target's replicas: a spare copy of a template harms
// nobody, and a tool that insists will not be convinced.
const maxReplicaRepairs = 5

// repairTarget counts and reports a target that somebody scaled up; the world goes back to zero by
// itself as long as the bound is not reached.
func (p *plan) repairTarget() {
	if p.Target.Replicas == 0 || p.fightOver() {
		return
	}
	if p.status.Repairs == nil {
		p.status.Repairs = &v1beta1.RepairStatus{}
	}
	if last := p.status.Repairs.LastAt; last != nil && p.Now.Before(last.Add(recheck)) {
		p.wakeAt(last.Add(recheck)) // the last repair is still on its way: the cluster writes there too
		return
	}
	now := micro(p.Now)
	p.status.Repairs.Replicas++
	p.status.Repairs.LastAt = &now
	t := Telling{Reason: "TargetScaled", Moment: Notice, Severity: Info,
		What: fmt.Sprintf("%s was scaled to %s%s", p.spec.TargetRef.Name, podsOf(p.Target.Replicas, ""), by(p.Target.Writer))}
	if p.Target.Autoscaled {
		t.Next = "It is a template and goes back to zero; the primary's autoscaler sizes what serves"
	} else {
		t.Next = fmt.Sprintf("%s takes over that size and the template goes back to zero", p.Object.PrimaryName())
	}
	if p.fightOver() {
		t.Severity = Warning
		t.Next = fmt.Sprintf("This was undone %d times and is left as it is from now on: tell%s to ignore spec.replicas of %s",
			maxReplicaRepairs, orTool(p.Target.Writer), p.spec.TargetRef.Name)
	}
	p.move(t)
}

// fightOver is true when the target's replicas are left to whoever sets them.
func (p *plan) fightOver() bool {
	return p.status.Repairs != nil && p.status.Repairs.Replicas >= maxReplicaRepairs
}

func by(writer string) string {
	if writer == "" {
		return ""
	}
	return " by " + writer
}

func orTool(writer string) string {
	if writer == "" {
		return " the tool that sets it"
	}
	return " " + writer
}
