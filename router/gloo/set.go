package gloo

import (
	"context"

	"github.com/serin-dev/serin/router"
)

// Set writes the weights on every route of ours, also where they are 0, and the rules before and on it.
func (r *Router) Set(ctx context.Context, t router.Target, w router.Traffic, s router.Stamp) error {
	if err := w.Validate(); err != nil {
		return err
	}
	if err := r.Features().Refuse(w); err != nil {
		return err
	}
	tb, err := r.table(ctx, t)
	if err != nil {
		return err
	}
	if err := tb.writable(s); err != nil {
		return err
	}
	if !tb.exists() || !tb.hasOurs() {
		return router.NotSeen("a route to the Upstreams of " + t.Canary.String() + " in RouteTable " + tb.key())
	}
	tb.share(w.Weights)
	if err := tb.rule(w.Rules); err != nil {
		return err
	}
	tb.stamp(s)
	return r.save(ctx, tb)
}
