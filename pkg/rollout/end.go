package rollout

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
)

const (
	// drainDeadline bounds the wait for requests that are in flight on the canary.
	drainDeadline = 30 * time.Second
	// drainWindow is how far a look at the canary's traffic reaches back: what a gateway that stood
	// still has sent before it followed does not count for ever.
	drainWindow = 30 * time.Second
	// drainBlind is the wait where nothing can be observed.
	drainBlind = 10 * time.Second
)

// fail ends the rollout as failed; the revision is rejected until the template changes.
func (p *plan) fail(reason, message string) { p.end(v1beta1.OutcomeFailed, reason, message) }

// end begins the way back to rest, the same for every outcome: all traffic on the primary, the
// canary drained, the canary at zero.
func (p *plan) end(o v1beta1.Outcome, reason, message string) {
	r := p.status.Rollout
	r.Outcome, r.Reason, r.Message = o, reason, clip(message)
	switch {
	case o != v1beta1.OutcomeFailed:
	case !r.Pinned:
		p.status.Rejected = r.Revision.Name
	case p.status.Rejected == p.status.LastPromotedSpec:
		p.status.Rejected = "" // the template holds what goes on serving
	}
	if p.status.Phase == v1beta1.PhaseWaiting || p.status.Phase == v1beta1.PhaseWaitingPromotion {
		p.status.Phase = v1beta1.PhaseProgressing
	}
	before := p.status.CanaryWeight
	p.enter(v1beta1.StepShiftingBack, 0)
	t := Telling{Reason: string(o), Moment: Moved, Severity: Info, What: message}
	switch o {
	case v1beta1.OutcomeFailed:
		t.Reason, t.Moment, t.Severity = "RollingBack", Held, Error
		t.What = fmt.Sprintf("rolling back %s", r.Revision.Image)
		t.Why = message
	case v1beta1.OutcomePromoted:
		t.Reason = "PrimaryReady"
	default: // superseded and reverted are told as they are
	}
	if p.primaryServes() {
		p.shiftTraffic()
		t.Next = fmt.Sprintf("All traffic goes to %s (%s %% was on the canary)", p.Object.PrimaryName(), before)
		if p.status.CanaryWeight > 0 {
			t.Next = fmt.Sprintf("The traffic goes to %s by %d %% at a time: %s %% stay on the canary for now", p.Object.PrimaryName(), p.spec.Analysis.StepWeightPromotion, p.status.CanaryWeight)
		}
	} else {
		t.Next = fmt.Sprintf("The traffic stays until %s has a pod that is ready", p.Object.PrimaryName())
	}
	p.move(t)
}

// shiftTraffic takes the traffic off the canary: all of it, or after a promotion a step of it where the
// way back was asked to have steps. Rules end at once: whoever was kept on the canary is let go.
func (p *plan) shiftTraffic() {
	r := p.status.Rollout
	r.Rules, r.NextCheckAt = nil, nil
	by := v1beta1.Weight(0)
	if a := p.spec.Analysis; a != nil && r.Outcome == v1beta1.OutcomePromoted {
		by = v1beta1.Percent(a.StepWeightPromotion)
	}
	if by == 0 || p.status.CanaryWeight <= by {
		p.status.CanaryWeight = 0
		return
	}
	p.status.CanaryWeight -= by
	r.NextCheckAt = new(micro(p.Now.Add(p.spec.Analysis.IntervalDuration())))
}

// primaryServes is true when traffic may return. A rollback asks for one ready pod of the promoted
// revision: what the canary does was measured to be worse than a primary that is short of pods, and
// its size was kept all along. A promotion has asked for all of them before. A primary that never came
// back has older pods in their place.
func (p *plan) primaryServes() bool {
	w := p.Primary
	return p.promotedServes() || w.Exists && w.Revision == p.status.LastPromotedSpec && w.Available > 0 && w.Updated < w.Pods
}

// promotedServes is true where the primary has a ready pod of the promoted revision.
func (p *plan) promotedServes() bool {
	return p.Primary.Exists && p.Primary.Revision == p.status.LastPromotedSpec && p.Primary.Endpoints > 0
}

// shiftBack waits until the route stands at zero for the canary.
func (p *plan) shiftBack() {
	r := p.status.Rollout
	left := p.status.CanaryWeight != 0 || r.Rules != nil // matches and copies are traffic too
	stepping := p.status.CanaryWeight != 0 && r.NextCheckAt != nil
	switch {
	case left && !p.primaryServes(), !left && p.unserved(p.routeWish()):
		p.wait("PrimaryNotReady", fmt.Sprintf("%s has no ready pod to return the traffic to: %s",
			p.Object.PrimaryName(), progress(p.Primary, r.PrimaryReplicas)))
	case stepping && p.Now.Before(r.NextCheckAt.Time):
		p.wakeAt(r.NextCheckAt.Time)
	case p.Route.Rejected != "" && (stepping || !left):
		p.stall(p.routeRejected("the route back to the primary"))
	case p.Route.Problem != nil && !p.routeHolds(p.status.CanaryWeight) && (stepping || !left):
		p.stall(*p.Route.Problem)
	case stepping && !p.routeHolds(p.status.CanaryWeight):
		// the step before is still being taken
	case left:
		p.shiftTraffic()
		p.move(Telling{Reason: "ShiftingBack", Moment: Moved, Severity: Info,
			What: fmt.Sprintf("%s %% of the traffic goes to %s", v1beta1.FullWeight-p.status.CanaryWeight, p.Object.PrimaryName())})
	case !p.routeHolds(0):
		// the write is on its way, and its watch event wakes us
	case r.ExposedSince == nil:
		p.drained("the canary never received traffic")
	default:
		p.enter(v1beta1.StepDraining, 0)
		p.touch()
	}
}

// drain waits until nothing new reaches the canary and nothing is in flight on it. A canary that
// is seen to receive requests is never taken away, however long that lasts.
func (p *plan) drain() {
	r := p.status.Rollout
	waited := p.Now.Sub(r.Since.Time)
	turn := int64(waited / recheck)
	p.wakeAt(r.Since.Add(time.Duration(turn+1) * recheck))
	if turn == 0 {
		return // the proxies have not followed yet
	}
	since := r.Since.Add(propagation)
	if recent := p.Now.Add(-drainWindow); recent.After(since) {
		since = recent
	}
	a, ok := p.poll(Question{Kind: AskTraffic, Since: since, Window: min(waited, drainWindow)}, turn)
	t := a.Traffic
	switch {
	case !ok:
	case t.Quiet():
		p.drained("no new request on the canary and none in flight")
	case !t.Known && waited >= drainBlind:
		p.drained(fmt.Sprintf("unverified after %s: %s", span(drainBlind), t.Message))
	case t.Known && t.New == 0 && !t.ActiveKnown && waited >= drainBlind:
		p.drained(fmt.Sprintf("no new request on the canary for %s; what is in flight is not shown", span(drainBlind)))
	case t.Known && t.New == 0 && waited >= drainDeadline:
		p.drained(fmt.Sprintf("%d requests still in flight after %s", t.Active, span(drainDeadline)))
	case t.Known && t.New > 0 && waited >= drainDeadline:
		p.wait("WeightNotTaken", "the gateway still sends requests to the canary at weight 0; it is kept until they stop")
	}
}

// drained goes on to what comes after the canary's traffic: the newer revision, or zero pods.
func (p *plan) drained(how string) {
	r := p.status.Rollout
	t := p.Target.Revision
	if p.bakes() {
		p.beginBake(how)
		return
	}
	if r.Outcome == v1beta1.OutcomeSuperseded && t.Name != "" && t.Name != p.status.LastPromotedSpec && p.status.PausedAt == nil {
		p.conclude()
		p.move(p.ended())
		p.startRollout(t, p.Target.Change)
		return
	}
	if r.Outcome == v1beta1.OutcomePromoted {
		p.status.Phase = v1beta1.PhaseFinalising
	}
	p.enter(v1beta1.StepScalingDown, 0)
	r.CanaryReplicas = 0
	p.move(Telling{Reason: "Drained", Moment: Moved, Severity: Info,
		What: "the canary is drained: " + how, Next: p.Object.CanaryName() + " goes to zero pods"})
}

// scaleDown waits for the canary to be asked down to zero, and closes the rollout.
func (p *plan) scaleDown() {
	if p.Canary.Exists && p.Canary.Replicas != 0 {
		return
	}
	p.conclude()
	switch p.status.Rollout.Outcome {
	case v1beta1.OutcomePromoted:
		p.status.Phase = v1beta1.PhaseSucceeded
	case v1beta1.OutcomeFailed:
		p.status.Phase = v1beta1.PhaseFailed
	default:
		p.status.Phase = v1beta1.PhaseInitialized
		p.status.LastAppliedSpec = p.status.LastPromotedSpec
	}
	p.move(p.ended())
}

// ended tells what came of a rollout.
func (p *plan) ended() Telling {
	r := p.status.Rollout
	took := span(r.EndedAt.Sub(r.StartedAt.Time))
	serving := p.status.Promoted.Image
	if !p.promotedServes() {
		serving = p.Object.PrimaryName()
	}
	t := Telling{Moment: Ended, Severity: Info}
	switch r.Outcome {
	case v1beta1.OutcomePromoted:
		t.Reason = "Promoted"
		t.What = fmt.Sprintf("%s promoted after %s", r.Revision.Image, took)
		t.Why = r.Message
	case v1beta1.OutcomeFailed:
		t.Reason, t.Severity = "RolledBack", Error
		t.What = fmt.Sprintf("%s rolled back after %s", r.Revision.Image, took)
		t.Why = r.Message
		t.Next = fmt.Sprintf("All traffic is on %s, %d of %d pods ready; the canary is at zero. Push a fix: the rejected template is held until it changes",
			serving, p.Primary.Available, p.Primary.Replicas)
	default:
		t.Reason, t.What, t.Why = r.Reason, fmt.Sprintf("rollout of %s ended after %s", r.Revision.Image, took), r.Message
		t.Next = "All traffic is on " + serving
	}
	return t
}

// conclude closes the rollout's books.
func (p *plan) conclude() {
	r := p.status.Rollout
	end := micro(p.Now)
	r.EndedAt, r.Until, r.NextCheckAt = &end, nil, nil
	p.status.History = append(p.status.History, v1beta1.RolloutRecord{
		Number: r.Number, Revision: r.Revision.Name, Image: r.Revision.Image, Outcome: r.Outcome, Reason: r.Reason,
		Message: r.Message, StartedAt: second(r.StartedAt.Time), EndedAt: second(p.Now),
	})
	if n := len(p.status.History); n > maxHistory {
		p.status.History = p.status.History[n-maxHistory:]
	}
}

func second(t time.Time) metav1.Time { return metav1.NewTime(t.UTC().Truncate(time.Second)) }
