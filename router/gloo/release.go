package gloo

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/util/json"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/gloo/api"
	"github.com/serin-dev/serin/router/internal/object"
)

// Release turns every route of ours back to the apex Service, by the action it had before adoption
// where that still leads there, and takes our marks off. The table stays: it serves. The Upstreams go
// once Envoy has had the time to turn away from them.
func (r *Router) Release(ctx context.Context, t router.Target) error {
	tb, err := r.table(ctx, t)
	if err != nil {
		return err
	}
	if tb.exists() && tb.taken() == nil {
		if err := r.handBack(ctx, tb); err != nil {
			return err
		}
	}
	left, err := r.sweep(ctx, tb)
	if err != nil || left == 0 {
		return err
	}
	return &router.NotReady{
		Problem: router.Problem{
			Reason:  "UpstreamsDraining",
			Message: fmt.Sprintf("RouteTable %s sends to Service %s again; %d Upstreams go when Envoy has turned away from them", tb.key(), t.Apex, left),
		},
		RetryAfter: unusedTime,
	}
}

func (r *Router) handBack(ctx context.Context, tb *table) error {
	if err := tb.rule(v1beta1.RouteRules{}); err != nil {
		return err
	}
	ours := tb.ours()
	originals, err := r.originals(ctx, tb, len(ours))
	if err != nil {
		return err
	}
	apex, err := r.apexAction(ctx, tb.names)
	if err != nil {
		return fmt.Errorf("make the route of RouteTable %s: %w", tb.key(), err)
	}
	for i, rt := range ours {
		rt["routeAction"] = apex
		if originals != nil {
			rt["routeAction"] = originals[i]
		}
	}
	object.RemoveLabels(tb.wanted, v1beta1.CanaryLabel)
	object.RemoveAnnotations(tb.wanted, v1beta1.TransitionAnnotation, originalAnnotation)
	return r.save(ctx, tb)
}

// apexAction leads to the apex Service: by the Upstream of spec.upstreamRef where that is one of it, so
// that settings without which nothing gets through, such as HTTP/2, stay, and otherwise by its name.
func (r *Router) apexAction(ctx context.Context, n names) (map[string]any, error) {
	named := api.Destination{Kube: &api.KubernetesDestination{Ref: n.apex(), Port: int64(n.Port)}}
	if n.Upstream != nil {
		key := n.sourceKey()
		followed := api.Destination{Upstream: &api.ResourceRef{Name: key.Name, Namespace: key.Namespace}}
		action, err := api.Content(&api.RouteAction{Single: &followed})
		if err != nil {
			return nil, err
		}
		if toApex, err := r.sendsToApex(ctx, n, route{"routeAction": action}); toApex || err != nil {
			return action, err
		}
	}
	return api.Content(&api.RouteAction{Single: &named})
}

// originals returns the actions that adoption replaced, or nil where they cannot be told apart any
// more or one of them no longer leads to the apex Service.
func (r *Router) originals(ctx context.Context, tb *table, routes int) ([]any, error) {
	kept := tb.kept()
	if len(kept) != routes {
		return nil, nil
	}
	for _, action := range kept {
		toApex, err := r.sendsToApex(ctx, tb.names, route{"routeAction": action})
		if !toApex || err != nil {
			return nil, err
		}
	}
	return kept, nil
}

// kept reads the note of adoption. One that is unreadable is as good as none.
func (tb *table) kept() []any {
	var actions []any
	if err := json.Unmarshal([]byte(tb.live.GetAnnotations()[originalAnnotation]), &actions); err != nil {
		return nil
	}
	return actions
}
