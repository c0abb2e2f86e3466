package gloo

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/gloo/api"
)

// Ensure creates or repairs the two Upstreams and then the table: a table must not name what Gloo has
// not seen. A table that is not to be written stops it before anything is made for it.
func (r *Router) Ensure(ctx context.Context, t router.Target, s router.Stamp) error {
	tb, err := r.table(ctx, t)
	if err != nil {
		return err
	}
	if err := tb.writable(s); err != nil {
		return err
	}
	if tb.exists() && !tb.hasOurs() {
		if err := r.adopt(ctx, tb); err != nil {
			return err
		}
	}
	p, err := r.ensureUpstreams(ctx, t)
	if err != nil {
		return err
	}
	if err := r.ensureTable(ctx, tb, p, s); err != nil {
		return err
	}
	_, err = r.sweep(ctx, tb)
	return err
}

// ensureTable creates the table at 100/0, or repairs it.
func (r *Router) ensureTable(ctx context.Context, tb *table, p pair, s router.Stamp) error {
	if !tb.exists() {
		return r.createTable(ctx, tb, s)
	}
	if err := tb.repair(); err != nil {
		return err
	}
	tb.claim()
	if !tb.changed() {
		return nil
	}
	if tb.redirects() {
		if err := p.settled(r.now()); err != nil {
			return err
		}
	}
	tb.stamp(s)
	return r.save(ctx, tb)
}

// redirects reports whether live traffic is about to reach an Upstream that the table did not name.
func (tb *table) redirects() bool {
	named := map[api.ResourceRef]bool{}
	for _, ref := range tb.upstreams(routesOf(tb.live)) {
		named[ref] = true
	}
	for _, ref := range tb.upstreams(tb.ours()) {
		if !named[ref] {
			return true
		}
	}
	return false
}

func (r *Router) createTable(ctx context.Context, tb *table, s router.Stamp) error {
	made, err := api.Make(api.RouteTable, metav1.ObjectMeta{
		Namespace:   tb.Canary.Namespace,
		Name:        tb.Apex,
		Labels:      tb.labels(),
		Annotations: v1beta1.Untracked(tb.Metadata.Annotations),
	}, &api.RouteTableSpec{Routes: []api.Route{tb.newRoute()}})
	if err != nil {
		return fmt.Errorf("make RouteTable %s: %w", tb.key(), err)
	}
	tb.wanted = made
	tb.stamp(s)
	return r.create(ctx, made)
}

// newRoute takes its matchers from the route that delegates to the table.
func (n names) newRoute() api.Route {
	entry := func(s side, weight int32) api.WeightedDestination {
		ref := api.ResourceRef{Name: n.upstream(s), Namespace: n.Canary.Namespace}
		return api.WeightedDestination{Destination: api.Destination{Upstream: &ref}, Weight: int64(weight)}
	}
	return api.Route{
		InheritablePathMatchers: true,
		RouteAction: api.RouteAction{Multi: &api.MultiDestination{
			Destinations: []api.WeightedDestination{entry(primary, 100), entry(canary, 0)},
		}},
	}
}
