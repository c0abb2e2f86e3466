package rollout

import (
	"fmt"
	"slices"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/analysis"
)

// beginBake keeps the revision that served before warm in the canary's place, and watches the promoted
// one. All traffic is on the primary: the canary's template may change.
func (p *plan) beginBake(how string) {
	r := p.status.Rollout
	p.status.Phase = v1beta1.PhaseFinalising
	p.enter(v1beta1.StepBaking, p.spec.Analysis.BakeDuration())
	p.status.FailedChecks, p.status.InconclusiveChecks, p.status.Checks = 0, 0, nil
	r.CanaryReplicas = r.PrimaryReplicas
	r.NextCheckAt = new(micro(p.Now.Add(p.spec.Analysis.IntervalDuration())))
	p.move(Telling{Reason: "Baking", Moment: Moved, Severity: Info,
		What: fmt.Sprintf("%s serves and is watched until %s", r.Revision.Image, clock(r.Until.Time)), Why: "the canary is drained: " + how,
		Next: fmt.Sprintf("%s is kept warm in %s meanwhile", r.From.Image, p.Object.CanaryName())})
}

// bake judges the promoted revision by the metrics of the analysis, on the primary. What cannot be
// measured counts for nothing: the revision has passed once.
func (p *plan) bake() {
	r := p.status.Rollout
	if p.rollbackAsked() {
		return
	}
	switch t := p.Target.Revision; {
	case t.Name == r.From.Name && !r.Pinned:
		p.unbake(v1beta1.OutcomeReverted, "Reverted", fmt.Sprintf("%s was put back to %s", p.spec.TargetRef.Name, t.Image))
		return
	case t.Name != "" && t.Name != r.Revision.Name && t.Name != p.status.Rejected:
		p.endBake(t.Image + " comes next")
		return
	case overdue(p.Now, r.Until):
		p.endBake("its time is over")
		return
	}
	p.wakeAt(r.Until.Time)
	if p.Now.Before(r.NextCheckAt.Time) {
		p.wakeAt(r.NextCheckAt.Time)
		return
	}
	checks, in := p.askMetrics(r.Since.Time, true)
	if !in {
		return
	}
	p.record(checks, analysis.Share{Force: analysis.Unverified})
	failed, _, _ := sort(checks)
	limit := p.spec.Analysis.MaxFailedChecks()
	if len(failed) > 0 && p.status.FailedChecks+1 >= limit {
		p.status.FailedChecks++
		p.unbake(v1beta1.OutcomeFailed, "BakeFailed", fmt.Sprintf("%s (failed check %d of %d after the promotion)", messages(failed), p.status.FailedChecks, limit))
		return
	}
	until := r.Until
	p.again(func(next string) {
		if p.touch(); len(failed) > 0 {
			p.count(true, "check", messages(failed), next)
		}
	})
	r.Until = until
}

// endBake lets go of the revision before.
func (p *plan) endBake(why string) {
	r := p.status.Rollout
	p.enter(v1beta1.StepScalingDown, 0)
	r.CanaryReplicas = 0
	p.move(Telling{Reason: "Baked", Moment: Moved, Severity: Info,
		What: fmt.Sprintf("%s stays", r.Revision.Image), Why: why, Next: p.Object.CanaryName() + " goes to zero pods"})
}

// unbake returns to the revision that was kept warm: all traffic at once where its pods are ready, and
// the primary goes back to it meanwhile.
func (p *plan) unbake(o v1beta1.Outcome, reason, message string) {
	r := p.status.Rollout
	warm := p.Canary.Ready(r.From.Name, r.CanaryReplicas, p.spec.Analysis.CanaryReadyPercent())
	r.Outcome, r.Reason, r.Message = o, reason, clip(message)
	if o == v1beta1.OutcomeFailed && !r.Pinned {
		p.status.Rejected = r.Revision.Name
	}
	bad := r.Revision.Name
	p.promote(r.From)
	p.status.Promotions = slices.DeleteFunc(p.status.Promotions, func(name string) bool { return name == bad })
	p.status.Phase = v1beta1.PhasePromoting
	p.enterRestoring()
	t := Telling{Reason: "RollingBack", Moment: Held, Severity: Error, What: "rolling back " + r.Revision.Image, Why: message}
	if warm {
		p.status.CanaryWeight = v1beta1.FullWeight
		if r.ExposedSince == nil { // it is drained like any that had traffic
			r.ExposedSince = new(micro(p.Now))
		}
		t.Next = fmt.Sprintf("All traffic goes to %s, which was kept warm, while %s goes back to it", r.From.Image, p.Object.PrimaryName())
	} else {
		t.Next = fmt.Sprintf("%s has no ready pods to take the traffic (%s): %s goes back to %s by itself",
			p.Object.CanaryName(), progress(p.Canary, r.CanaryReplicas), p.Object.PrimaryName(), r.From.Image)
	}
	p.move(t)
}

// bakes is true where the revision before is to be kept warm after the promotion.
func (p *plan) bakes() bool {
	r := p.status.Rollout
	return r.Outcome == v1beta1.OutcomePromoted && p.spec.Analysis.BakeDuration() > 0 && r.From.Name != r.Revision.Name
}
