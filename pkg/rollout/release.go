package rollout

import (
	"fmt"
	"strings"
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
)

const (
	// releaseDeadline bounds each step of a release that waits for no pods: a Canary that is deleted
	// goes, and what is safe is done.
	releaseDeadline = 2 * time.Minute
	// adoptionEnds is how long the last steps of an adoption are let end by themselves: the Service is
	// being turned, and a turn back in the midst of it would meet it without endpoints.
	adoptionEnds = 3 * SettleTime
)

// release hands the traffic back to the target, whatever the canary was doing: the rollout ends, the
// target gets the promoted template and its pods, the Service and then the route turn to them, and
// what Serin made goes last. Each step has a deadline, and traffic never goes to a side without ready
// pods: what cannot be handed back stays and serves, which is said.
func (p *plan) release() {
	rel := p.status.Release
	switch {
	case rel == nil:
		p.beginRelease()
	case p.status.Phase == v1beta1.PhaseTerminated:
		if !p.Release {
			p.adoptAgain()
		}
	case rel.Step == v1beta1.StepEnding:
		p.endForRelease()
	case rel.Step == v1beta1.StepFilling:
		p.fillTarget()
	case rel.Step == v1beta1.StepReturning:
		p.returnService()
	case rel.Step == v1beta1.StepReleasing:
		p.releaseRoute()
	default:
		p.removeClones()
	}
}

func (p *plan) beginRelease() {
	if p.adoptionEnding() {
		p.wakeAt(p.status.Initialization.Since.Add(adoptionEnds))
		p.initialize()
		return
	}
	if p.status.Promoted == nil && p.Primary.Ours && p.Primary.Revision != "" {
		p.takeUp() // a status was lost: what serves is known first
		return
	}
	p.startClocks()
	in, r := p.status.Initialization, p.status.Rollout
	served := p.status.Promoted != nil && (in == nil || in.Step == v1beta1.StepEmptying || p.Apex.ToPrimary)
	p.status.Initialization = nil
	p.status.Phase = v1beta1.PhaseTerminating
	p.status.Release = &v1beta1.ReleaseStatus{Served: served, Replicas: max(p.Primary.Replicas, p.Target.Original, p.Target.Replicas)}
	t := Telling{Reason: "Releasing", Moment: Notice, Severity: Info, What: p.releaseCause()}
	switch {
	case p.status.Promoted == nil, in != nil && !served && !p.Route.Exists:
		p.releaseStep(v1beta1.StepRemoving, releaseDeadline)
		t.Next = fmt.Sprintf("%s served all along", p.spec.TargetRef.Name)
	case r != nil && r.EndedAt == nil:
		if r.Outcome == v1beta1.OutcomeSuperseded {
			r.Outcome = v1beta1.OutcomeReverted // the newer revision is not tried any more
		}
		p.releaseStep(v1beta1.StepEnding, p.Object.ProgressDeadline()+releaseDeadline)
		t.Next = fmt.Sprintf("The rollout of %s ends first", r.Revision.Image)
	default:
		p.releaseStep(v1beta1.StepFilling, p.Object.ProgressDeadline())
		t.Next = p.fillingNext()
	}
	p.move(t)
}

// adoptionEnding is true while the Service turns to the primary, or has just turned.
func (p *plan) adoptionEnding() bool {
	in := p.status.Initialization
	return in != nil && (in.Step == v1beta1.StepTurning || in.Step == v1beta1.StepEmptying) &&
		p.Now.Before(in.Since.Add(adoptionEnds))
}

// startClocks ends a suspension: whoever deletes a canary does not wait for it.
func (p *plan) startClocks() {
	if at := p.status.SuspendedAt; at != nil {
		p.shiftClocks(p.Now.Sub(at.Time))
		p.status.SuspendedAt = nil
	}
}

func (p *plan) releaseCause() string {
	if p.Object.DeletionTimestamp != nil {
		return "the Canary is deleted: its traffic goes back to " + p.target()
	}
	return fmt.Sprintf("annotation %s is set: the traffic goes back to %s", v1beta1.ReleaseAnnotation, p.target())
}

func (p *plan) target() string { return p.spec.TargetRef.Kind + " " + p.spec.TargetRef.Name }

// leads is true of a Service target: it makes no pods and leads to those of others.
func (p *plan) leads() bool { return p.spec.TargetRef.Kind == "Service" }

func (p *plan) fillingNext() string {
	if p.leads() {
		return fmt.Sprintf("%s has to lead to %s, at most until %s", p.target(), p.status.Promoted.Image, clock(p.status.Release.Until.Time))
	}
	return fmt.Sprintf("%s gets %s with %s, at most until %s", p.target(), podsOf(p.handedBack(p.status.Release), ""), p.status.Promoted.Image,
		clock(p.status.Release.Until.Time))
}

func (p *plan) releaseStep(s v1beta1.Step, deadline time.Duration) {
	until := micro(p.Now.Add(deadline))
	rel := p.status.Release
	rel.Step, rel.Since, rel.Until = s, micro(p.Now), &until
}

// endForRelease ends a rollout that was under way. One that is being promoted, or ends already, goes
// on to its end: the way back from there is longer.
func (p *plan) endForRelease() {
	r := p.status.Rollout
	rel := p.status.Release
	p.wakeAt(rel.Until.Time)
	switch {
	case r.EndedAt != nil:
		rel.Replicas = max(rel.Replicas, p.Primary.Replicas)
		p.releaseStep(v1beta1.StepFilling, p.Object.ProgressDeadline())
		p.move(Telling{Reason: "FillingTarget", Moment: Notice, Severity: Info,
			What: fmt.Sprintf("all traffic is on %s", p.Object.PrimaryName()), Next: p.fillingNext()})
	case r.Step == v1beta1.StepBaking:
		p.endBake(p.releaseCause())
	case r.Step == v1beta1.StepShiftingBack && r.NextCheckAt != nil && p.primaryServes():
		p.status.CanaryWeight, r.NextCheckAt = 0, nil
		p.move(Telling{Reason: "ShiftingBack", Moment: Moved, Severity: Info,
			What: "the rest of the traffic goes to " + p.Object.PrimaryName(), Why: p.releaseCause()})
	case r.Outcome == "" && r.Step != v1beta1.StepCopying:
		p.end(v1beta1.OutcomeReverted, "Released", p.releaseCause())
	default:
		p.run()
		p.status.Phase = v1beta1.PhaseTerminating
		if p.moved || !overdue(p.Now, rel.Until) {
			return
		}
		why := "in step " + string(r.Step)
		if p.waiting.reason != "" {
			why = p.waiting.message
		}
		p.stay(v1beta1.StaysEverything, "RolloutNotEnded", fmt.Sprintf("the rollout of %s could not be ended in %s: %s",
			r.Revision.Image, span(rel.Until.Sub(rel.Since.Time)), why))
	}
}

// handedBack is how many pods the target needs to take over from the primary as it is now, as far as
// its own autoscaler lets it have them.
func (o Observed) handedBack(rel *v1beta1.ReleaseStatus) int32 {
	n := max(rel.Replicas, o.Primary.Replicas, 1)
	if o.Target.Limit > 0 {
		n = min(n, o.Target.Limit)
	}
	return n
}

// fillTarget waits for the target's own pods with what is promoted, while the primary serves.
func (p *plan) fillTarget() {
	rel := p.status.Release
	want := p.handedBack(rel)
	switch {
	case !p.Target.Exists && p.Now.Before(rel.Since.Add(SettleTime)):
		p.wakeAt(rel.Since.Add(SettleTime)) // the Service may be on its way out too
	case !p.Target.Exists && (!p.Apex.Exists || !rel.Served):
		p.releaseStep(v1beta1.StepReleasing, releaseDeadline)
		p.move(Telling{Reason: "TargetMissing", Moment: Notice, Severity: Info,
			What: fmt.Sprintf("%s and Service %s are gone: nothing is left to hand the traffic to", p.target(), p.Object.ApexName()),
			Next: "What Serin made goes too"})
	case !p.Target.Exists:
		p.stay(v1beta1.StaysPrimary, "TargetMissing", p.target()+" does not exist any more")
	case p.Target.ContentsDiffer != "":
		p.stay(v1beta1.StaysPrimary, "ContentsNotPromoted", fmt.Sprintf("%s since %s was promoted, and the pods of %s would start with what is not",
			p.Target.ContentsDiffer, p.status.Promoted.Image, p.target()))
	case p.templateKept():
		p.stay(v1beta1.StaysPrimary, "TemplateKept", fmt.Sprintf("%s holds %s, which is not promoted, and %s keeps that template",
			p.target(), p.Target.Revision.Image, p.Target.Keeper))
	case p.Target.Pods.Ready(p.status.LastPromotedSpec, want, p.spec.Analysis.PrimaryReadyPercent()):
		p.releaseStep(v1beta1.StepReturning, releaseDeadline)
		p.move(Telling{Reason: "TargetReady", Moment: Notice, Severity: Info,
			What: fmt.Sprintf("%s has %d of %s ready with %s", p.target(), p.Target.Pods.Available, podsOf(want, ""), p.status.Promoted.Image),
			Next: fmt.Sprintf("Service %s turns to them in %s", p.Object.ApexName(), SettleTime)})
	case overdue(p.Now, rel.Until):
		p.stay(v1beta1.StaysPrimary, "TargetNotReady", fmt.Sprintf("the pods of %s did not become ready in %s: %s",
			p.target(), span(rel.Until.Sub(rel.Since.Time)), progress(p.Target.Pods, want)))
	default:
		p.trouble("FillingTarget", p.spec.TargetRef.Name, p.Target.Pods)
		p.wakeAt(p.Now.Add(recheck)) // of the user's Deployment only its spec wakes us
		p.wakeAt(rel.Until.Time)
	}
}

// templateKept is true where the target holds another template than the promoted one, and a tool that
// would write it again whatever Serin puts there.
func (o Observed) templateKept() bool {
	name := o.Target.Revision.Name
	return name != "" && name != o.Object.Status.LastPromotedSpec && o.Target.Keeper != ""
}

// returnService turns the apex Service to the target's pods while the route still leads to the primary.
func (p *plan) returnService() {
	rel := p.status.Release
	switch {
	case !p.Target.Exists:
		p.stay(v1beta1.StaysPrimary, "TargetMissing", p.target()+" does not exist any more")
	case !p.Apex.ToTarget && !p.targetServes():
		p.releaseStep(v1beta1.StepFilling, p.Object.ProgressDeadline())
		p.move(Telling{Reason: "FillingTarget", Moment: Notice, Severity: Info,
			What: fmt.Sprintf("%s changed before it got traffic", p.target()), Next: p.fillingNext()})
	case !p.Apex.Exists || p.Apex.ToTarget:
		p.releaseStep(v1beta1.StepReleasing, releaseDeadline)
		p.move(Telling{Reason: "ServiceReturned", Moment: Notice, Severity: Info,
			What: fmt.Sprintf("Service %s leads to %s", p.Object.ApexName(), p.target()),
			Next: fmt.Sprintf("The route follows in %s", SettleTime)})
	case overdue(p.Now, rel.Until):
		p.stay(v1beta1.StaysPrimary, "ServiceNotReturned", fmt.Sprintf("Service %s could not be turned to %s in %s",
			p.Object.ApexName(), p.target(), span(rel.Until.Sub(rel.Since.Time))))
	default:
		p.wakeLater(rel)
	}
}

// releaseRoute waits until the router has let go of everything that is ours.
func (p *plan) releaseRoute() {
	rel := p.status.Release
	switch {
	case p.Route.Released && !p.Now.Before(rel.Since.Add(SettleTime)):
		p.releaseStep(v1beta1.StepRemoving, releaseDeadline)
		p.move(Telling{Reason: "RouteReleased", Moment: Notice, Severity: Info,
			What: fmt.Sprintf("the route leads to Service %s", p.Object.ApexName()), Next: p.removalNext()})
	case rel.Stays == "" && rel.Served && !p.Target.Exists && p.Apex.Exists:
		p.stay(v1beta1.StaysPrimary, "TargetMissing", p.target()+" does not exist any more")
	case overdue(p.Now, rel.Until):
		why := "it still needs what Serin made"
		if pr := p.Route.Problem; pr != nil {
			why = pr.Message
		}
		p.stay(v1beta1.StaysEverything, "RouteNotReleased", fmt.Sprintf("the route could not be handed back in %s: %s",
			span(rel.Until.Sub(rel.Since.Time)), why))
	default:
		if pr := p.Route.Problem; pr != nil {
			p.wait(pr.Reason, pr.Message)
		}
		p.wakeLater(rel)
	}
}

// wakeLater looks again once what was written has settled, and regularly after that.
func (p *plan) wakeLater(rel *v1beta1.ReleaseStatus) {
	if at := rel.Since.Add(SettleTime); p.Now.Before(at) {
		p.wakeAt(at)
		return
	}
	p.wakeAt(p.Now.Add(recheck))
}

func (p *plan) removalNext() string {
	if p.status.Release.Stays == v1beta1.StaysPrimary {
		return fmt.Sprintf("%s goes; %s stays", p.Object.CanaryName(), p.Object.PrimaryName())
	}
	return fmt.Sprintf("%s and %s go in %s", p.Object.PrimaryName(), p.Object.CanaryName(), SettleTime)
}

// stay gives up handing back: what serves goes on serving, and belongs to nobody from then on.
func (p *plan) stay(what v1beta1.Stays, reason, message string) {
	if p.leads() && what == v1beta1.StaysPrimary {
		what = v1beta1.StaysEverything // it is its own apex, and cannot lead to the primary
	}
	rel := p.status.Release
	rel.Stays, rel.Reason, rel.Message = what, reason, clip(message)
	t := Telling{Reason: reason, Moment: Notice, Severity: Warning, What: message}
	if what == v1beta1.StaysPrimary {
		p.releaseStep(v1beta1.StepReleasing, releaseDeadline)
		t.Next = fmt.Sprintf("%s stays and goes on serving through Service %s. Delete it and Service %s when nothing needs them any more",
			p.Object.PrimaryName(), p.Object.ApexName(), p.Object.PrimaryServiceName())
	} else {
		p.releaseStep(v1beta1.StepRemoving, releaseDeadline)
		t.Next = fmt.Sprintf("Route, Services, %s and %s stay as they are and go on serving", p.Object.PrimaryName(), p.Object.CanaryName())
	}
	p.move(t)
}

// removeClones waits until nothing of ours is left, and ends the release.
func (p *plan) removeClones() {
	rel := p.status.Release
	late := overdue(p.Now, rel.Until)
	if len(p.Leftovers) > 0 && !late {
		p.wakeLater(rel)
		return
	}
	p.status.Phase = v1beta1.PhaseTerminated
	rel.Until = nil
	if r := p.status.Rollout; r != nil && r.EndedAt == nil {
		r.Outcome, r.Reason, r.Message = v1beta1.OutcomeReverted, "Released", p.releaseCause()
		p.conclude()
	}
	t := Telling{Reason: "Released", Moment: Notice, Severity: Info, What: p.released()}
	if late {
		t.Severity = Warning
		t.Why = fmt.Sprintf("Not removed in %s: %s", span(releaseDeadline), strings.Join(p.Leftovers, ", "))
		t.Next = "Delete what is left"
	}
	p.move(t)
}

// released says what serves now.
func (p *plan) released() string {
	rel := p.status.Release
	switch {
	case rel.Stays != "":
		return fmt.Sprintf("released: %s goes on serving, as %s", p.Object.PrimaryName(), rel.Message)
	case p.status.Promoted == nil:
		return "released: nothing had been adopted"
	case !p.Target.Exists:
		return fmt.Sprintf("released: %s is gone, and what Serin made is too", p.target())
	default:
		return fmt.Sprintf("released: %s serves %s through Service %s", p.target(), p.status.Promoted.Image, p.Object.ApexName())
	}
}

// explainRelease words a release from its status alone.
func (p *plan) explainRelease() (reason, message string) {
	rel := p.status.Release
	if p.status.Phase == v1beta1.PhaseTerminated {
		message = p.released()
		if p.Object.DeletionTimestamp == nil {
			message += fmt.Sprintf(". Remove annotation %s to have it adopted again", v1beta1.ReleaseAnnotation)
		}
		return "Released", message
	}
	reason = string(rel.Step)
	switch rel.Step {
	case v1beta1.StepEnding:
		_, message = p.explainRollout()
	case v1beta1.StepFilling:
		message = fmt.Sprintf("%s gets the pods and the template that serve, until %s", p.target(), clock(rel.Until.Time))
	case v1beta1.StepReturning:
		message = fmt.Sprintf("Service %s turns to %s", p.Object.ApexName(), p.target())
	case v1beta1.StepReleasing:
		message = fmt.Sprintf("the route turns to Service %s", p.Object.ApexName())
	default:
		message = "what only Serin needed is removed"
	}
	return reason, message
}

// adoptAgain forgets what was handed back: the target is adopted as if for the first time. The journal,
// the counters and the history go on.
func (p *plan) adoptAgain() {
	s := p.status
	s.Release, s.Promoted, s.Repairs, s.Checks = nil, nil, nil, nil
	s.Phase, s.LastPromotedSpec, s.LastAppliedSpec, s.Rejected, s.SeenWeight = "", "", "", "", ""
	s.CanaryWeight, s.WeightTransition, s.Promotions, s.PausedAt, s.RestartedAt = 0, 0, nil, nil, ""
	p.move(Telling{Reason: "Resumed", Moment: Notice, Severity: Info,
		What: fmt.Sprintf("annotation %s is gone: %s is adopted again", v1beta1.ReleaseAnnotation, p.target())})
}

// Handback is what handing the traffic back asks of the world.
type Handback struct {
	// Probe keeps the Service that shows the target's own pods.
	Probe bool
	// Template is the revision that the target gets; empty leaves its template. Replicas are those that
	// it gets at least; 0 leaves them.
	Template string
	Replicas int32
	// ApexToTarget turns the apex Service to what it selected before the adoption.
	ApexToTarget bool
	// Route is handed back.
	Route bool
	// Remove takes away what only Serin needed, and our marks off what stays.
	Remove bool
}

// releasing is the world of a release. What cannot be handed back keeps its traffic: as long as the
// Service has not turned, it is held on the primary as in any other phase.
func releasing(o Observed) World {
	rel := o.Object.Status.Release
	if o.Object.Status.Phase == v1beta1.PhaseTerminated {
		// An operator that was away for all of the removal's time has not tried it yet.
		return World{Release: &Handback{Remove: len(o.Leftovers) > 0}}
	}
	w := World{Release: &Handback{}}
	settled := !o.Now.Before(rel.Since.Add(SettleTime))
	if !settled {
		w.WakeAt = rel.Since.Add(SettleTime)
	}
	switch rel.Step {
	case v1beta1.StepEnding:
		serving(o, &w)
		if r := o.Object.Status.Rollout; r.EndedAt == nil {
			running(o, r, &w)
		}
	case v1beta1.StepFilling:
		filling(o, &w)
	case v1beta1.StepReturning:
		w.Release.Probe, w.Bridge = true, v1beta1.RoleRelease
		w.Release.ApexToTarget = settled && o.targetServes()
		w.holdPrimary(rel, !w.Release.ApexToTarget)
	case v1beta1.StepReleasing:
		w.Release.Route = settled
		w.Release.ApexToTarget = rel.Stays == "" && o.Target.Exists
		w.holdApex(rel, rel.Stays != "")
		if w.Release.ApexToTarget && !settled {
			w.Release.Probe, w.Bridge = true, v1beta1.RoleRelease
		}
	default:
		w.Release.Remove = settled || !rel.Served
	}
	return w
}

func filling(o Observed, w *World) {
	rel := o.Object.Status.Release
	w.holdPrimary(rel, o.Apex.Exists || o.Target.Exists)
	if !o.Target.Exists || o.templateKept() || o.Target.ContentsDiffer != "" {
		return
	}
	name := o.Target.Revision.Name
	w.Snapshot = name == ""
	w.Release.Probe = true
	if name == "" {
		return // what it holds is known before it is overwritten
	}
	w.Release.Replicas = o.handedBack(rel)
	if name != o.Object.Status.LastPromotedSpec {
		w.Release.Template = o.Object.Status.LastPromotedSpec
	}
}

// targetServes is true while the target's pods can take the traffic.
func (o Observed) targetServes() bool {
	return o.Target.Pods.Revision == o.Object.Status.LastPromotedSpec && o.Target.Pods.Endpoints > 0
}

// holdPrimary keeps the traffic on the primary where it was there as the release began.
func (w *World) holdPrimary(rel *v1beta1.ReleaseStatus, apex bool) {
	if rel.Served {
		w.Route = &RouteWish{}
	}
	w.holdApex(rel, apex)
}

func (w *World) holdApex(rel *v1beta1.ReleaseStatus, hold bool) { w.ApexToPrimary = rel.Served && hold }
