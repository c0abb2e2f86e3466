package fake

import (
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
)

// Serving returns the weights that the proxies follow now, which lag behind those that were set.
func (r *Router) Serving(canary types.NamespacedName) router.Weights {
	r.mu.Lock()
	defer r.mu.Unlock()
	var w router.Weights
	now := r.now()
	for _, s := range r.at(canary).shifts {
		if !s.from.After(now) {
			w = s.weights
		}
	}
	return w
}

// Rules returns the rules that stand beside the weights, as they were set.
func (r *Router) Rules(canary types.NamespacedName) v1beta1.RouteRules {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at(canary).rules
}

// EditRules breaks the rules as another tool would: they are not those any more that were set.
func (r *Router) EditRules(canary types.NamespacedName) {
	r.alter(canary, func(rt *route) { rt.state.Rules, rt.rules = "edited", v1beta1.RouteRules{} })
}

// Shifts lists every change of the canary's weights that the proxy took, oldest first: ours and others'.
func (r *Router) Shifts(canary types.NamespacedName) []router.Weights {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]router.Weights, 0, len(r.at(canary).shifts))
	for _, s := range r.at(canary).shifts {
		all = append(all, s.weights)
	}
	return all
}

// Released reports whether the route was handed back and still serves.
func (r *Router) Released(canary types.NamespacedName) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at(canary).released
}

// Writes counts what an API server would have been asked to write.
func (r *Router) Writes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.writes
}

// Edit changes the weights as another tool would: the stamp stays.
func (r *Router) Edit(canary types.NamespacedName, w router.Weights) {
	r.alter(canary, func(rt *route) { rt.state.Weights = w })
}

// Reject makes the proxy refuse, in these words and until Accept, what it does not follow yet.
func (r *Router) Reject(canary types.NamespacedName, words string) {
	r.alter(canary, func(rt *route) {
		rt.state.Verdict, rt.state.Message = router.Rejected, words
		now := r.now()
		rt.shifts = slices.DeleteFunc(rt.shifts, func(s shift) bool { return s.from.After(now) })
	})
}

// Accept lifts a rejection; the proxy then follows what stands.
func (r *Router) Accept(canary types.NamespacedName) {
	r.alter(canary, func(rt *route) {
		rt.state.Verdict, rt.state.Message = router.NotKnown, ""
	})
}

// Report sets the problems that Get returns.
func (r *Router) Report(canary types.NamespacedName, problems ...router.Problem) {
	r.alter(canary, func(rt *route) { rt.state.Problems = problems })
}

// Delete removes the route behind our back.
func (r *Router) Delete(canary types.NamespacedName) {
	r.alter(canary, func(rt *route) { rt.state, rt.rules = router.State{}, v1beta1.RouteRules{} })
}

func (r *Router) alter(canary types.NamespacedName, change func(*route)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.change(r.at(canary), change)
}

// Fail makes the next calls of a method (Ensure, Get, Set, Release) return these errors, one each.
func (r *Router) Fail(method string, errs ...error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.faults == nil {
		r.faults = map[string][]error{}
	}
	r.faults[method] = append(r.faults[method], errs...)
}

func (r *Router) fault(method string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	queue := r.faults[method]
	if len(queue) == 0 {
		return nil
	}
	r.faults[method] = queue[1:]
	return queue[0]
}
