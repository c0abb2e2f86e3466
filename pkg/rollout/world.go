package rollout

import (
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// World is what the cluster has to look like for a status. Making it so is idempotent: a normal
// step, the repair of a foreign edit and the recovery from a crash are the same.
type World struct {
	// Snapshot is wanted of the target's present template.
	Snapshot bool
	// Primary and Canary; nil where they are left as they are.
	Primary, Canary *Clone
	// ApexToPrimary turns the apex Service to the primary's pods.
	ApexToPrimary bool
	// Bridge keeps a role's addresses in the apex Service while its selector is turned to that role; empty
	// for none.
	Bridge string
	// Route holds the weights; nil where the route is left alone.
	Route *RouteWish
	// EmptyTarget scales the target to zero.
	EmptyTarget bool
	// Release is what is done to hand the traffic back; nil otherwise.
	Release *Handback
	// WakeAt is when the wish changes by itself; zero for never.
	WakeAt time.Time
}

// Clone is how a workload should be.
type Clone struct {
	Revision string
	// Replicas wanted; nil leaves them to whoever sizes it.
	Replicas *int32
	// RestartedAt marks its pods, so that a new mark replaces them; empty leaves them.
	RestartedAt string
	// Floor keeps an autoscaler from going below it; 0 is none.
	Floor int32
}

// RouteWish is what the route should do: rules first, and of the rest the canary has its weight and
// the primary what is left.
type RouteWish struct {
	CanaryWeight v1beta1.Weight
	Rules        v1beta1.RouteRules
}

// Desired says what the world has to look like for the committed status. It is empty while the
// object is suspended or cannot be worked with.
func Desired(o Observed) World {
	s := &o.Object.Status
	if s.Release != nil {
		return releasing(o)
	}
	if o.Object.Spec.Suspend {
		return World{}
	}
	w := World{Snapshot: o.Target.Revision.Name == ""}
	if s.Promoted == nil || (len(o.Problems) > 0 && s.Initialization != nil) {
		return w
	}
	if s.Initialization != nil {
		return initializing(o, w)
	}
	serving(o, &w)
	if r := s.Rollout; r != nil && r.EndedAt == nil {
		running(o, r, &w)
	}
	return w
}

func initializing(o Observed, w World) World {
	in := o.Object.Status.Initialization
	w.Primary = &Clone{Revision: o.Object.Status.LastPromotedSpec, Floor: in.Replicas} // its load is still to come
	if !o.Primary.Exists || o.Primary.Replicas == 0 {
		w.Primary.Replicas = &in.Replicas
	}
	none := int32(0)
	w.Canary = &Clone{Revision: o.Object.Status.LastPromotedSpec, Replicas: &none}
	if in.Step == v1beta1.StepCloning {
		return w
	}
	w.Route = &RouteWish{}
	settled := !o.Now.Before(in.Since.Add(SettleTime))
	w.ApexToPrimary = in.Step == v1beta1.StepEmptying || in.Step == v1beta1.StepTurning && settled
	w.EmptyTarget = in.Step == v1beta1.StepEmptying && settled
	if in.Step == v1beta1.StepTurning || in.Step == v1beta1.StepEmptying && !settled {
		w.Bridge = v1beta1.RolePrimary
	}
	if in.Step != v1beta1.StepRouting && !settled {
		w.WakeAt = in.Since.Add(SettleTime)
	}
	return w
}

// serving is the state at rest: the promoted revision on the primary with all of the traffic, the
// canary at zero, the target empty.
func serving(o Observed, w *World) {
	s := &o.Object.Status
	w.Primary = &Clone{Revision: s.LastPromotedSpec, RestartedAt: s.RestartedAt}
	w.ApexToPrimary = true
	w.Route = &RouteWish{CanaryWeight: s.CanaryWeight}
	if s.Rollout != nil && s.Rollout.Rules != nil {
		w.Route.Rules = *s.Rollout.Rules
	}
	if o.unserved(*w.Route) {
		w.Route = nil // it is written when there is a pod to take the traffic
	}
	w.EmptyTarget = !fightOver(s)
	none := int32(0)
	w.Canary = &Clone{Replicas: &none}
	if o.Target.Replicas > 0 && !o.Target.Autoscaled && w.EmptyTarget && atRest(s.Rollout) {
		w.Primary.Replicas = &o.Target.Replicas // a size that the user gives the template is the primary's
	}
}

// unserved is true where a route would give more to a side that has no pod to take it. Whoever decided it
// saw the pods; a process that died before the write left it to one that meets them gone. So does somebody
// who edits a route.
func (o Observed) unserved(w RouteWish) bool {
	stands := o.Route
	if !stands.Exists {
		return false
	}
	toCanary := w.CanaryWeight > stands.CanaryWeight || w.Rules.Digest() != stands.Rules && !w.Rules.Empty()
	toPrimary := w.CanaryWeight < stands.CanaryWeight
	return toCanary && o.Canary.Endpoints == 0 || toPrimary && !o.Primary.Answers() && o.Canary.Endpoints > 0
}

// running is what a rollout adds. The canary's template is only ever changed in StepStarting, which
// is entered at a weight of 0 that holds, and waits where somebody's edit of the route may still do.
func running(o Observed, r *v1beta1.RolloutStatus, w *World) {
	w.Primary.Floor = r.PrimaryReplicas
	w.Canary.Replicas = &r.CanaryReplicas
	settles := routeSettles(&o.Object.Status)
	switch r.Step {
	case v1beta1.StepStarting:
		if o.Now.Before(settles) {
			w.Canary, w.WakeAt = nil, settles
			return
		}
		w.Canary.Revision = r.Revision.Name
	case v1beta1.StepAnalysing:
		w.Canary.Revision = r.Revision.Name
	case v1beta1.StepCopying:
		w.Primary.Revision = r.Revision.Name
	case v1beta1.StepBaking:
		w.Canary.Revision = r.From.Name
	case v1beta1.StepScalingDown:
		w.Primary.Floor = 0
	default: // both keep what they run
	}
	if w.Canary.Revision == "" && !o.Canary.Exists { // somebody deleted it: it comes back as it was
		w.Canary.Revision = o.Object.Status.LastAppliedSpec
	}
}

func atRest(r *v1beta1.RolloutStatus) bool { return r == nil || r.EndedAt != nil }
