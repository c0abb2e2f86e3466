package gloo

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/gloo/api"
	"github.com/serin-dev/serin/router/internal/object"
)

// originalAnnotation keeps, in the order of the routes, the actions that adoption replaced.
const originalAnnotation = "serin.dev/original-route"

// adopt turns the routes of a user's table that send to the apex Service into routes of ours at
// 100/0. Matchers and options stay, so do routes that send elsewhere. A table without any such route
// is left alone: what it is for cannot be guessed. Routes of rules without the one that they belong to go.
func (r *Router) adopt(ctx context.Context, tb *table) error {
	if err := tb.rule(v1beta1.RouteRules{}); err != nil {
		return err
	}
	var originals []any
	for _, rt := range tb.routes() {
		toApex, err := r.sendsToApex(ctx, tb.names, rt)
		if err != nil {
			return err
		}
		if toApex {
			originals = append(originals, rt["routeAction"])
			tb.takeOver(rt)
		}
	}
	if len(originals) == 0 {
		return tb.nothingToAdopt()
	}
	kept, err := json.Marshal(originals)
	if err != nil {
		return fmt.Errorf("keep the routes of RouteTable %s: %w", tb.key(), err)
	}
	object.SetAnnotations(tb.wanted, map[string]string{originalAnnotation: string(kept)})
	return nil
}

// takeOver makes a route that sends to the apex one of ours. Both sides take over what stood there.
func (n names) takeOver(rt route) {
	from := rt.entries()[0]
	rt.setEntries([]map[string]any{n.pointed(withWeight(from, 100), primary), n.pointed(withWeight(from, 0), canary)})
}

// nothingToAdopt adds a route of ours to a table that has none at all, and refuses any other.
func (tb *table) nothingToAdopt() error {
	if len(tb.routes()) > 0 {
		return &router.NotReady{Problem: router.Problem{
			Reason: "RouteTableNotOurs",
			Message: fmt.Sprintf("RouteTable %s exists and none of its routes sends only to Service %s/%s port %d, so none is Serin's to split. "+
				"Point the route that is to be split at that Service (routeAction.single.kube), or rename the table and let Serin create its own",
				tb.key(), tb.Canary.Namespace, tb.Apex, tb.Port),
		}}
	}
	content, err := api.Content(&api.RouteTableSpec{Routes: []api.Route{tb.newRoute()}})
	if err != nil {
		return fmt.Errorf("make the route of RouteTable %s: %w", tb.key(), err)
	}
	return unstructured.SetNestedField(tb.wanted.Object, content["routes"], "spec", "routes")
}

// sendsToApex reports whether all of a route's traffic goes to the target's port of the apex
// Service. One that picks a subset of the pods does not: the two sides have no such subsets.
func (r *Router) sendsToApex(ctx context.Context, n names, rt route) (bool, error) {
	entries := rt.entries()
	for _, e := range entries {
		destination, _ := e["destination"].(map[string]any)
		if _, ok := destination["subset"]; ok {
			return false, nil
		}
		toApex, err := r.isApex(ctx, n, e)
		if !toApex || err != nil {
			return false, err
		}
	}
	return len(entries) > 0, nil
}

// isApex tells it of one destination: the Service itself, or an Upstream of it, be it one that Gloo
// discovered or one of the user's. Of one that cannot be read it is not known, which is as good as no.
func (r *Router) isApex(ctx context.Context, n names, entry map[string]any) (bool, error) {
	destination, _ := entry["destination"].(map[string]any)
	if kube, ok := destination["kube"].(map[string]any); ok {
		ref, _ := kube["ref"].(map[string]any)
		port, _ := kube["port"].(int64)
		return refOf(ref, "") == n.apex() && port == int64(n.Port), nil
	}
	ref, ok := upstreamOf(entry, n.Canary.Namespace)
	if !ok || n.outOfSight(ref.Namespace) {
		return false, nil
	}
	up := api.New(api.Upstream)
	switch err := r.client.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, up); {
	case apierrors.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read Upstream %s/%s: %w", ref.Namespace, ref.Name, err)
	}
	kube, _, _ := unstructured.NestedMap(up.Object, "spec", "kube")
	service := api.ResourceRef{}
	service.Name, _ = kube["serviceName"].(string)
	service.Namespace, _ = kube["serviceNamespace"].(string)
	port, _ := kube["servicePort"].(int64)
	return service == n.apex() && port == int64(n.Port), nil
}

func (n names) apex() api.ResourceRef {
	return api.ResourceRef{Name: n.Apex, Namespace: n.Canary.Namespace}
}
