package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// restoreFor takes the primary back to the promoted revision. The weights stay meanwhile.
func (p *plan) restoreFor(o v1beta1.Outcome, reason, message string) {
	r := p.status.Rollout
	r.Outcome, r.Reason, r.Message = o, reason, clip(message)
	p.enterRestoring()
	traffic := fmt.Sprintf("the weights stay at %s %% until it is ready", p.status.CanaryWeight)
	if !p.carries() {
		traffic = p.onCanary()
	}
	p.move(Telling{Reason: reason, Moment: Held, Severity: Warning, What: message,
		Next: fmt.Sprintf("%s goes back to %s; %s", p.Object.PrimaryName(), r.From.Image, traffic)})
}

// enterRestoring begins the wait for the primary as it was. Its deadline ends nothing, for there is no
// better side to go to: it is when somebody has to be told.
func (p *plan) enterRestoring() {
	p.enter(v1beta1.StepRestoring, p.Object.ProgressDeadline())
	if t := p.Target.Revision; t.Name == p.status.LastPromotedSpec {
		p.status.Rollout.Queued = &t
	}
}

// restore waits for the primary as it was, while the healthy side keeps its traffic. The primary may never
// get there; then the revision that the canary has proven is what else it can be given, when somebody asks.
func (p *plan) restore() {
	r := p.status.Rollout
	want := max(r.PrimaryReplicas, p.Primary.Replicas)
	switch {
	case p.routeComes():
		// it is on its way to who serves meanwhile, and no step is left out: its watch event wakes us
	case p.Primary.Ready(p.status.LastPromotedSpec, want, p.spec.Analysis.PrimaryReadyPercent()):
		p.end(r.Outcome, r.Reason, r.Message)
		return
	case p.queued() != "" && p.givesWay():
		p.giveWay(want)
		return
	case p.queue():
		if r.Step != v1beta1.StepRestoring {
			return
		}
	case overdue(p.Now, r.Until):
		r.Until = new(micro(p.Now.Add(p.Now.Sub(r.Since.Time)))) // told again, each time after twice as long
		p.move(Telling{Reason: "PrimaryNotRestored", Moment: Held, Severity: Warning, What: p.notBack(want), Why: r.Message + "; " + p.onCanary(), Next: p.unstick()})
	}
	if p.notRestored() {
		p.lastingly("PrimaryNotRestored", strings.Join(slices.DeleteFunc([]string{p.notBack(want), r.Message, p.onCanary(), p.queued(), p.unstick()},
			func(s string) bool { return s == "" }), ". "))
	} else {
		p.trouble("RestoringPrimary", p.Object.PrimaryName(), p.Primary)
	}
	p.wakeAt(deadlineOf(r.Until))
}

// routeComes is true while the route is still to take the weight that was decided on, and nothing keeps it
// from that.
func (p *plan) routeComes() bool {
	stuck := p.Route.Rejected != "" || p.Route.Problem != nil || p.unserved(p.routeWish())
	return !stuck && !p.routeHolds(p.status.CanaryWeight)
}

// queue follows the template while the primary is not back, and is true where it changed. The revision that
// was to be promoted is promoted when it is set again. Another one waits: there is nothing to analyse it on.
func (p *plan) queue() bool {
	r, t := p.status.Rollout, p.Target.Revision
	next := &t
	if t.Name == r.Revision.Name || r.Pinned && t.Name == p.status.Rejected {
		next = nil
	}
	if t.Name == "" || nameOf(next) == nameOf(r.Queued) {
		return false
	}
	r.Queued = next
	switch {
	case t.Name == r.Revision.Name && p.provenOnCanary():
		p.promoteAgain(fmt.Sprintf("%s was set to it again", p.spec.TargetRef.Name))
	case p.queued() == "" || p.givesWay():
		p.touch()
	default:
		p.move(Telling{Reason: "Queued", Moment: Held, Severity: Warning, What: p.queued(), Why: p.onCanary(), Next: p.unstick()})
	}
	return true
}

// notRestored is true once it was told that the primary does not come back.
func (p *plan) notRestored() bool {
	r := p.status.Rollout
	return r.Until != nil && r.Until.Sub(r.Since.Time) > p.Object.ProgressDeadline()
}

// free is true where a fix could be analysed on the canary: after a bake that went back cold, and where the
// canary was lost.
func (p *plan) free() bool { return !p.carries() && p.status.Release == nil }

// givesWay is true where a fix need not wait any longer for a primary that does not come back.
func (p *plan) givesWay() bool { return p.notRestored() && p.free() }

// giveWay ends a rollout whose primary does not come back, for what is queued to begin. The traffic stays on
// the primary's pods that are ready.
func (p *plan) giveWay(want int32) {
	t := Telling{Reason: "Queued", Moment: Moved, Severity: Warning, What: p.notBack(want),
		Next: fmt.Sprintf("The rollout of %s begins; %s", p.status.Rollout.Queued.Image, p.onCanary())}
	p.enter(v1beta1.StepShiftingBack, 0)
	p.move(t)
}

func nameOf(r *v1beta1.RevisionStatus) string {
	if r == nil {
		return ""
	}
	return r.Name
}

// provenOnCanary is true where the canary still runs the revision whose analysis led to the promotion. After
// a bake it runs the one before.
func (p *plan) provenOnCanary() bool { return p.Canary.Revision == p.status.Rollout.Revision.Name }

// promoteAgain gives the primary once more what the canary has proven.
func (p *plan) promoteAgain(why string) {
	r := p.status.Rollout
	r.Outcome, r.Reason, r.Message = "", "", ""
	p.beginPromotion(why)
}

// retryPromotion is what a command to retry does while the primary goes back.
func (p *plan) retryPromotion() (string, bool) {
	r := p.status.Rollout
	switch {
	case !p.provenOnCanary():
		return fmt.Sprintf("%s goes back to %s, and nothing else has been proven", p.Object.PrimaryName(), r.From.Image), false
	case p.Target.Revision.Name == p.status.LastPromotedSpec && !r.Pinned:
		return fmt.Sprintf("%s holds %s, which %s goes back to: set it to %s again, and that is promoted", p.spec.TargetRef.Name,
			r.From.Image, p.Object.PrimaryName(), r.Revision.Image), false
	}
	p.promoteAgain(byCommand)
	return fmt.Sprintf("%s rolls to %s once more", p.Object.PrimaryName(), r.Revision.Image), true
}

// notBack says how far the primary is. It names a time of day and no duration, so that it stays the same.
func (p *plan) notBack(want int32) string {
	r := p.status.Rollout
	return fmt.Sprintf("%s has been on its way back to %s since %s and is not ready: %s", p.Object.PrimaryName(), r.From.Image, clock(r.Since.Time), progress(p.Primary, want))
}

// onCanary says what carries the traffic meanwhile.
func (p *plan) onCanary() string {
	if p.status.CanaryWeight == 0 {
		return fmt.Sprintf("the traffic is on the pods of %s that are ready", p.Object.PrimaryName())
	}
	image := p.status.Rollout.Revision.Image
	if !p.provenOnCanary() {
		image = p.status.Rollout.From.Image
	}
	return fmt.Sprintf("%s carries %s %% of the traffic with %s and is not changed under it", p.Object.CanaryName(), p.status.CanaryWeight, image)
}

// queued says what waits for the primary to be back; empty for nothing.
func (p *plan) queued() string {
	r := p.status.Rollout
	if r.Queued == nil || r.Queued.Name == p.status.LastPromotedSpec {
		return ""
	}
	text := fmt.Sprintf("%s waits until %s is ready again", r.Queued.Image, p.Object.PrimaryName())
	if p.free() && !p.notRestored() {
		text += fmt.Sprintf(", until %s at most", clock(r.Until.Time))
	}
	return text
}

// unstick says what to do.
func (p *plan) unstick() string {
	r := p.status.Rollout
	todo := fmt.Sprintf("Mend what keeps the pods of %s from starting, and Serin goes on by itself", p.Object.PrimaryName())
	switch {
	case !p.provenOnCanary():
	case p.Target.Revision.Name == p.status.LastPromotedSpec && !r.Pinned:
		todo += fmt.Sprintf("; or set %s to %s again, and that is promoted", p.spec.TargetRef.Name, r.Revision.Image)
	default:
		todo += fmt.Sprintf("; or kubectl serin retry %s, and %s is tried on it once more", p.Object.Name, r.Revision.Image)
	}
	return todo
}
