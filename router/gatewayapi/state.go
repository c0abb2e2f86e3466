package gatewayapi

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/internal/object"
)

// Get reads the route and what control planes say of it. A route of the user's that is not adopted
// yet, or that another tool has turned away from the two sides, is no route.
func (r *Router) Get(ctx context.Context, t router.Target) (router.State, error) {
	rt, err := r.route(ctx, t)
	if err != nil || !rt.exists() {
		return router.State{}, err
	}
	if problem := rt.taken(); problem != nil {
		return router.State{Problems: []router.Problem{*problem}}, nil
	}
	st := router.State{Verdict: router.NotKnown, Stamp: object.StampOf(rt.live)}
	if len(rt.bases()) == 0 {
		return st, nil
	}
	st.Exists, st.Weights, st.Rules = true, rt.weights(), rt.standing()
	if len(rt.controllers()) > 0 {
		st.Features = new(rt.features())
	}
	f := findings{route: rt, State: st}
	f.shares()
	f.wishes()
	f.attachment(r.now())
	return f.State, nil
}

// findings collects what is wrong with a route.
type findings struct {
	*route
	router.State
}

// shares adds what no proxy can do as asked.
func (f *findings) shares() {
	for _, r := range f.bases() {
		var total int64
		foreign := false
		for _, b := range r.backends() {
			total += int64(b.weight())
			if _, ok := f.sideOf(b); !ok && b.weight() > 0 {
				foreign = true
			}
		}
		if foreign {
			f.warn("ForeignDestination", fmt.Sprintf("a rule of HTTPRoute %s also sends to a backend that is not this canary's, "+
				"so the two sides get less than their weights say. Remove it from the rule's backendRefs", f.key()))
		}
		if total == 0 {
			f.reject(fmt.Sprintf("all weights of a rule of HTTPRoute %s are 0, so its requests are answered with 500", f.key()))
		}
	}
}

// wishes adds what spec.service asks for in vain.
func (f *findings) wishes() {
	if unsaid := f.unsaid(); len(unsaid) > 0 {
		f.warn("MatchIgnored", fmt.Sprintf("an HTTPRoute cannot express %s: the entry is met without it", strings.Join(unsaid, ", ")))
	}
	if lacking := f.lacking(); len(lacking) > 0 {
		f.warn("FieldsIgnored", fmt.Sprintf("%s, which serves HTTPRoute %s, lacks what spec.service.%s asks for",
			strings.Join(f.controllers(), ", "), f.key(), strings.Join(lacking, ", spec.service.")))
	}
	if left := f.left(); len(left) > 0 {
		f.warn("FieldsIgnored", fmt.Sprintf("HTTPRoute %s was there before, and is yours but for the backends of its rules: spec.service.%s have no effect on it. "+
			"Set them on the route itself", f.key(), strings.Join(left, ", spec.service.")))
	}
}

func (f *findings) reject(message string) {
	if f.Verdict != router.Rejected {
		f.Verdict, f.Message = router.Rejected, message
	}
}

func (f *findings) warn(reason, message string) {
	f.add(router.Problem{Reason: reason, Message: message, Warning: true})
}

// add keeps each problem once.
func (f *findings) add(p router.Problem) {
	if !slices.Contains(f.Problems, p) {
		f.Problems = append(f.Problems, p)
	}
}
