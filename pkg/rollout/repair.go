package rollout

import (
	"fmt"
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// repairPause is the least time between two reports of foreign writes. The world itself is repaired
// at once: a Service without pods is an outage.
const repairPause = time.Second

// repair counts and reports what somebody else wrote to what Serin keeps. The repair itself is the
// world's: it follows the status whatever changed it.
func (p *plan) repair() {
	if p.status.Promoted == nil || p.status.Initialization != nil {
		return
	}
	if r := p.status.Repairs; r != nil && r.LastAt != nil && p.Now.Sub(r.LastAt.Time) < repairPause {
		return
	}
	p.repairTarget()
	p.repairApex()
	p.repairRoute()
}

func (p *plan) repairs() *v1beta1.RepairStatus {
	if p.status.Repairs == nil {
		p.status.Repairs = &v1beta1.RepairStatus{}
	}
	now := micro(p.Now)
	p.status.Repairs.LastAt = &now
	return p.status.Repairs
}

func (p *plan) repairApex() {
	if !p.Apex.Exists || p.Apex.ToPrimary {
		return
	}
	n := p.repairs()
	n.Selector++
	p.move(Telling{Reason: "SelectorRepaired", Moment: Notice, Severity: Warning,
		What: fmt.Sprintf("the selector of Service %s was changed%s and is turned back to the primary (time %d)", p.Object.ApexName(), by(p.Apex.Writer), n.Selector),
		Next: fmt.Sprintf("Tell%s to ignore spec.selector of that Service", orTool(p.Apex.Writer))})
}

// repairRoute: a route that carries the stamp of the present weight and stands elsewhere was edited;
// with an older stamp our own write is still on its way.
func (p *plan) repairRoute() {
	w := p.status.WeightTransition
	asked := p.Route.CanaryWeight == p.status.CanaryWeight && p.Route.Rules == rulesOf(p.status)
	if !p.Route.Exists || asked || p.Route.Stamp == 0 || p.Route.Stamp < w || p.unserved(p.routeWish()) {
		return
	}
	n := p.repairs()
	n.Route++
	n.RouteAt = n.LastAt
	p.move(Telling{Reason: "RouteRepaired", Moment: Notice, Severity: Warning,
		What: fmt.Sprintf("somebody edited or removed the route; it is set back to %s %% for the canary (time %d)", p.status.CanaryWeight, n.Route),
		Next: "To stop a rollout, put the template back or set spec.suspend"})
}

// routeSettles is when proxies that had somebody's edit of the route have surely let go of it.
func routeSettles(s *v1beta1.CanaryStatus) time.Time {
	if s.Repairs == nil || s.Repairs.RouteAt == nil {
		return time.Time{}
	}
	return s.Repairs.RouteAt.Add(drainBlind)
}

// routeWish is what the status asks of the route.
func (p *plan) routeWish() RouteWish {
	w := RouteWish{CanaryWeight: p.status.CanaryWeight}
	if r := p.status.Rollout; r != nil && r.Rules != nil {
		w.Rules = *r.Rules
	}
	return w
}

// maxReplicaRepairs bounds the fight over the target's replicas: a spare copy of a template harms
// nobody, and a tool that insists will not be convinced.
const maxReplicaRepairs = 5

// repairTarget counts and reports a target that somebody scaled up; the world goes back to zero by
// itself as long as the bound is not reached.
func (p *plan) repairTarget() {
	if p.Target.Replicas == 0 || fightOver(p.status) {
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
	switch {
	case p.Primary.Given:
		t.What = fmt.Sprintf("%s was given pods%s", p.spec.TargetRef.Name, by(p.Target.Writer))
		t.Next = fmt.Sprintf("It is a template and goes back to none; %s serves", p.Object.PrimaryName())
	case p.Target.Autoscaled:
		t.Next = "It is a template and goes back to zero; the primary's autoscaler sizes what serves"
	default:
		t.Next = fmt.Sprintf("%s takes over that size and the template goes back to zero", p.Object.PrimaryName())
	}
	if fightOver(p.status) {
		t.Severity = Warning
		t.Next = fmt.Sprintf("This was undone %d times and is left as it is from now on: tell%s to ignore %s of %s",
			maxReplicaRepairs, orTool(p.Target.Writer), p.Target.SizeField, p.spec.TargetRef.Name)
	}
	p.move(t)
}

// fightOver is true when the target's replicas are left to whoever sets them.
func fightOver(s *v1beta1.CanaryStatus) bool {
	return s.Repairs != nil && s.Repairs.Replicas >= maxReplicaRepairs
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
