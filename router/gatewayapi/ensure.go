package gatewayapi

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/internal/object"
)

// Ensure creates the route at 100/0, takes over one of the user's, or repairs what is ours on it.
func (r *Router) Ensure(ctx context.Context, t router.Target, s router.Stamp) error {
	rt, err := r.route(ctx, t)
	if err != nil {
		return err
	}
	if err := rt.writable(s); err != nil {
		return err
	}
	if !rt.exists() {
		return r.create(ctx, rt, s)
	}
	if len(rt.bases()) == 0 {
		if err := rt.adopt(); err != nil {
			return err
		}
	}
	rt.repair()
	rt.claim()
	if err := rt.follow(); err != nil {
		return err
	}
	if !rt.changed() {
		return nil
	}
	object.SetStamp(rt.wanted, s)
	return r.save(ctx, rt)
}

// create makes the route that spec.service describes.
func (r *Router) create(ctx context.Context, rt *route, s router.Stamp) error {
	if len(rt.Service.GatewayRefs) == 0 {
		return &router.NotReady{Problem: router.Problem{
			Reason: "GatewayRefsMissing",
			Message: fmt.Sprintf("HTTPRoute %s does not exist, and nothing says which Gateway a new one is for: "+
				"set spec.service.gatewayRefs, or create the HTTPRoute with a rule to Service %s port %d", rt.key(), rt.Apex, rt.Port),
		}}
	}
	made := object.New(httpRoutes)
	made.SetNamespace(rt.Canary.Namespace)
	made.SetName(rt.Apex)
	object.SetLabels(made, rt.labels())
	object.SetAnnotations(made, v1beta1.Untracked(rt.Metadata.Annotations))
	rt.wanted = made
	base := rule{}
	rt.reweigh(base, router.Split(0))
	if err := unstructured.SetNestedSlice(made.Object, []any{map[string]any(base)}, "spec", "rules"); err != nil {
		return fmt.Errorf("make HTTPRoute %s: %w", rt.key(), err)
	}
	if err := rt.generate(); err != nil {
		return err
	}
	object.SetStamp(made, s)
	return rt.refusal(object.Create(ctx, r.client, made))
}
