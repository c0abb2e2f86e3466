package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// SettleTime is how long a shift that nothing can confirm is given before what it left is removed.
const SettleTime = 5 * time.Second

// initialize adopts the target: the primary is cloned and ready before the Service and the route
// turn to it, and both have settled before the target goes to zero.
func (p *plan) initialize() {
	if p.status.Initialization == nil {
		p.adopt()
		return
	}
	switch p.status.Initialization.Step {
	case v1beta1.StepCloning:
		p.clonePrimary()
	case v1beta1.StepRouting:
		p.routeToPrimary()
	case v1beta1.StepTurning:
		p.turnService()
	case v1beta1.StepEmptying:
		p.emptyTarget()
	default: // the other steps are a rollout's
	}
}

// adopt begins the adoption. A Canary without a status is not new when its primary exists: what the
// primary runs is promoted, and the live route is kept.
func (p *plan) adopt() {
	if p.Target.Revision.Name == "" {
		p.wait("TakingSnapshot", "taking the first snapshot of the target's template")
		return
	}
	if !p.Primary.Exists {
		p.promote(p.Target.Revision)
		p.initStep(v1beta1.StepCloning, p.Object.ProgressDeadline(), max(p.Target.Replicas, 1))
		with, next := p.withPods(p.status.Initialization.Replicas)
		p.move(Telling{Reason: "Initializing", Moment: Notice, Severity: Info,
			What: fmt.Sprintf("adopting %s %s: cloning it into %s%s", p.spec.TargetRef.Kind, p.spec.TargetRef.Name, p.Object.PrimaryName(), with),
			Next: next})
		return
	}
	p.takeUp()
}

// takeUp continues from an existing primary: a restored backup, a recreated object, or a clone that
// another tool left behind.
func (p *plan) takeUp() {
	serving := p.Primary.describe()
	if serving.Name == "" {
		if !slices.Equal(p.Primary.Images, p.Target.Revision.Images) {
			p.stall(Problem{"ForeignPrimary", fmt.Sprintf(
				"%s exists, was not made by Serin, and runs %v while %s holds %v: set the target back to what serves, or delete the primary while something else serves",
				p.Object.PrimaryName(), p.Primary.Images, p.spec.TargetRef.Name, p.Target.Revision.Images)})
			return
		}
		serving = p.Target.Revision
	}
	p.promote(serving)
	t := Telling{Reason: "TakenUp", Moment: Notice, Severity: Info,
		What: fmt.Sprintf("found %s with %s: it is the promoted revision", p.Object.PrimaryName(), serving.Image)}
	if p.Canary.Replicas > 0 || p.Route.CanaryWeight > 0 {
		p.status.CanaryWeight = max(p.Route.CanaryWeight, 0)
		p.beginRollout(p.Canary.describe())
		p.status.Phase = v1beta1.PhaseProgressing
		t.Next = fmt.Sprintf("A run that nothing is known of left %s and %s %% of the traffic on the canary; both go back first",
			podsOf(p.Canary.Replicas, ""), p.status.CanaryWeight)
		p.status.Rollout.Outcome, p.status.Rollout.Reason = v1beta1.OutcomeSuperseded, "StatusLost"
		p.status.Rollout.Message = "the status of the run was lost"
		exposed := micro(p.Now)
		p.status.Rollout.ExposedSince = &exposed // it may have been for hours: it is drained before it is replaced
		p.enter(v1beta1.StepShiftingBack, 0)
		p.move(t)
		return
	}
	p.initStep(v1beta1.StepCloning, p.Object.ProgressDeadline(), max(p.Primary.Replicas, 1))
	p.move(t)
}

// promote records what serves.
func (p *plan) promote(r v1beta1.RevisionStatus) {
	p.status.Promoted = &r
	p.status.LastPromotedSpec, p.status.LastAppliedSpec = r.Name, r.Name
	p.status.Promotions = slices.DeleteFunc(p.status.Promotions, func(name string) bool { return name == r.Name })
	p.status.Promotions = append(p.status.Promotions, r.Name)
	if n := len(p.status.Promotions); n > maxPromotions {
		p.status.Promotions = p.status.Promotions[n-maxPromotions:]
	}
}

func (p *plan) initStep(s v1beta1.Step, deadline time.Duration, replicas int32) {
	until := micro(p.Now.Add(deadline))
	p.status.Phase = v1beta1.PhaseInitializing
	p.status.Initialization = &v1beta1.InitializationStatus{Step: s, Since: micro(p.Now), Until: &until, Replicas: replicas}
}

func (p *plan) clonePrimary() {
	in := p.status.Initialization
	if !p.Primary.Ready(p.status.LastPromotedSpec, in.Replicas, p.spec.Analysis.PrimaryReadyPercent()) {
		msg := fmt.Sprintf("%s: %s", p.Object.PrimaryName(), progress(p.Primary, in.Replicas))
		if overdue(p.Now, in.Until) {
			p.stall(Problem{"PrimaryNotReady", msg + ". " + p.spec.TargetRef.Name + " still serves; mend what keeps the pods from starting and Serin goes on"})
			return
		}
		p.trouble("PrimaryStarting", p.Object.PrimaryName(), p.Primary)
		p.wakeAt(deadlineOf(in.Until))
		return
	}
	p.initStep(v1beta1.StepRouting, p.Object.ProgressDeadline(), in.Replicas)
	p.move(Telling{Reason: "PrimaryReady", Moment: Notice, Severity: Info,
		What: fmt.Sprintf("%s is ready: %d of %s", p.Object.PrimaryName(), p.Primary.Available, podsOf(p.Primary.whole(in.Replicas), "")),
		Next: "Service and route turn to it"})
}

func (p *plan) routeToPrimary() {
	switch {
	case p.Route.Problem != nil && !p.Route.Exists:
		p.stall(*p.Route.Problem)
		return
	case p.Route.Rejected != "":
		p.stall(p.routeRejected("the route"))
		return
	}
	if !p.routeHolds(0) {
		return
	}
	p.initStep(v1beta1.StepTurning, p.Object.ProgressDeadline(), p.status.Initialization.Replicas)
	p.move(Telling{Reason: "RouteOnPrimary", Moment: Notice, Severity: Info,
		What: fmt.Sprintf("the route sends all traffic to %s", p.Object.PrimaryName()),
		Next: fmt.Sprintf("Service %s follows in %s", p.Object.ApexName(), SettleTime)})
}

func (p *plan) turnService() {
	if !p.Apex.ToPrimary {
		p.wakeAt(p.status.Initialization.Since.Add(SettleTime))
		return
	}
	p.initStep(v1beta1.StepEmptying, p.Object.ProgressDeadline(), p.status.Initialization.Replicas)
	p.move(Telling{Reason: "TrafficOnPrimary", Moment: Notice, Severity: Info,
		What: fmt.Sprintf("Service %s and its route send all traffic to %s", p.Object.ApexName(), p.Object.PrimaryName()),
		Next: fmt.Sprintf("%s%s is a template from then on", p.spec.TargetRef.Name, p.goesEmpty())})
}

// withPods ends the sentence about a clone that is made: a Service has no pods of its own.
func (p *plan) withPods(n int32) (with, next string) {
	if p.leads() {
		return "", "Traffic follows when its addresses are ready"
	}
	return " with " + podsOf(n, ""), "Traffic follows when they are ready"
}

func (p *plan) goesEmpty() string {
	if p.leads() {
		return fmt.Sprintf(" stays as it is and in %s", SettleTime)
	}
	return fmt.Sprintf(" goes to zero pods in %s and", SettleTime)
}

func (p *plan) emptyTarget() {
	in := p.status.Initialization
	if p.Target.Replicas != 0 || p.Now.Before(in.Since.Add(SettleTime)) {
		p.wakeAt(in.Since.Add(SettleTime))
		return
	}
	p.status.Initialization = nil
	p.status.Phase = v1beta1.PhaseInitialized
	p.move(Telling{Reason: "Initialized", Moment: Notice, Severity: Info,
		What: fmt.Sprintf("%s serves from %s", p.status.Promoted.Image, p.Object.PrimaryName()),
		Next: fmt.Sprintf("A change of the template of %s starts a rollout", p.spec.TargetRef.Name)})
}

// routeHolds is true when the route stands at the weight, with the rules of the status, and was not
// refused.
func (p *plan) routeHolds(weight v1beta1.Weight) bool {
	return p.Route.Exists && p.Route.Rejected == "" && p.Route.CanaryWeight == weight && p.Route.Rules == rulesOf(p.status)
}

// routeRejected is the proxy's refusal of a route, in its own words.
func (p *plan) routeRejected(route string) Problem {
	return Problem{"RouteRejected", fmt.Sprintf("the gateway rejected %s: %s. Mend the route; Serin goes on by itself", route, p.Route.Rejected)}
}

// describe names what a clone runs, as far as the clone itself tells.
func (w Workload) describe() v1beta1.RevisionStatus {
	r := v1beta1.RevisionStatus{Name: w.Revision, Images: w.Images}
	if len(w.Images) > 0 {
		r.Image = w.Images[0][strings.LastIndex(w.Images[0], "/")+1:]
	}
	return r
}
