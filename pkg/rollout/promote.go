package rollout

import (
	"fmt"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// beginPromotion rolls the primary to the analysed revision. The weights stay: the canary carries
// its share while the primary's pods are replaced without ever being fewer.
func (p *plan) beginPromotion(why string) {
	r := p.status.Rollout
	p.status.Phase = v1beta1.PhasePromoting
	r.PrimaryReplicas = max(r.PrimaryReplicas, p.Primary.Replicas)
	r.Forced = ""
	p.enter(v1beta1.StepCopying, p.Object.ProgressDeadline())
	p.move(Telling{Reason: "Promoting", Moment: Moved, Severity: Info,
		What: fmt.Sprintf("promoting %s: %s rolls to it", r.Revision.Image, p.Object.PrimaryName()), Why: why,
		Next: fmt.Sprintf("The traffic comes back when its pods are ready, at most until %s", clock(r.Until.Time))})
}

// copy waits for the primary with the new revision. A primary that does not get there goes back to
// what it was; so it does when the user takes the revision back.
func (p *plan) copy() {
	r := p.status.Rollout
	want := p.Primary.whole(max(r.PrimaryReplicas, p.Primary.Replicas))
	switch {
	case p.Target.Revision.Name == p.status.LastPromotedSpec && !r.Pinned:
		p.restoreFor(v1beta1.OutcomeReverted, "Reverted", fmt.Sprintf("%s was put back to %s", p.spec.TargetRef.Name, r.From.Image))
	case p.Primary.Ready(r.Revision.Name, want, p.spec.Analysis.PrimaryReadyPercent()):
		if !p.sameImages() {
			return
		}
		p.promote(r.Revision)
		p.end(v1beta1.OutcomePromoted, "Promoted", fmt.Sprintf("%d of %d pods of %s run %s", p.Primary.Available, want, p.Object.PrimaryName(), r.Revision.Image))
	case overdue(p.Now, r.Until):
		p.restoreFor(v1beta1.OutcomeFailed, "PrimaryNotReady", fmt.Sprintf("%s did not become ready with %s in %s: %s",
			p.Object.PrimaryName(), r.Revision.Image, span(r.Until.Sub(r.Since.Time)), progress(p.Primary, want)))
	default:
		p.trouble("CopyingToPrimary", p.Object.PrimaryName(), p.Primary)
		p.wakeAt(deadlineOf(r.Until))
	}
}
