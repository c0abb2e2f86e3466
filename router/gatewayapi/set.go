package gatewayapi

import (
	"context"

	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/internal/object"
)

// Set writes the weights on every base, also where they are 0, and the rules before and on them.
func (r *Router) Set(ctx context.Context, t router.Target, tr router.Traffic, s router.Stamp) error {
	if err := tr.Validate(); err != nil {
		return err
	}
	rt, err := r.route(ctx, t)
	if err != nil {
		return err
	}
	if err := rt.writable(s); err != nil {
		return err
	}
	if !rt.exists() || len(rt.bases()) == 0 {
		return router.NotSeen("a rule to the two sides of " + t.Canary.String() + " in HTTPRoute " + rt.key())
	}
	if err := rt.refuse(tr); err != nil {
		return err
	}
	rt.share(tr.Weights)
	if err := rt.rule(tr.Rules); err != nil {
		return err
	}
	object.SetStamp(rt.wanted, s)
	return r.save(ctx, rt)
}
