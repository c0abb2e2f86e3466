package gloo

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/gloo/api"
	"github.com/serin-dev/serin/router/internal/object"
)

// table is a target's RouteTable: as it was read, and the copy that is changed and then saved.
type table struct {
	names
	live, wanted *unstructured.Unstructured // nil when there is none
	// orphan is true when the Canary that the table names is gone: its successor takes it over.
	orphan bool
}

// table reads the RouteTable of a target from the cache.
func (r *Router) table(ctx context.Context, t router.Target) (*table, error) {
	tb := &table{names: names{t}}
	live := api.New(api.RouteTable)
	switch err := r.client.Get(ctx, tb.tableKey(), live); {
	case apierrors.IsNotFound(err):
		return tb, nil
	case err != nil:
		return nil, fmt.Errorf("read RouteTable %s: %w", tb.key(), err)
	}
	tb.live, tb.wanted = live, live.DeepCopy()
	tb.orphan = object.Orphan(ctx, r.client, live)
	return tb, nil
}

func (tb *table) key() string  { return tb.tableKey().String() }
func (tb *table) exists() bool { return tb.live != nil }

// writable fails where the table is another Canary's or carries a later transition.
func (tb *table) writable(s router.Stamp) error {
	if !tb.exists() {
		return nil
	}
	if problem := tb.taken(); problem != nil {
		return &router.NotReady{Problem: *problem}
	}
	if object.StampOf(tb.live) > s {
		return router.ErrOvertaken
	}
	return nil
}

// taken is the problem of a table that belongs to another Canary.
func (tb *table) taken() *router.Problem {
	owner := tb.live.GetLabels()[v1beta1.CanaryLabel]
	if owner == "" || owner == tb.owner() || tb.orphan {
		return nil
	}
	return &router.Problem{
		Reason: "RouteTableTaken",
		Message: fmt.Sprintf("RouteTable %s belongs to Canary %s: two canaries cannot share one route. "+
			"Give one of them another spec.service.name, or delete Canary %s", tb.key(), owner, owner),
	}
}

// routes of the wanted table; changing one changes the table.
func (tb *table) routes() []route { return routesOf(tb.wanted) }

func routesOf(u *unstructured.Unstructured) []route {
	list, _, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "routes")
	all, _ := list.([]any)
	found := make([]route, 0, len(all))
	for _, r := range all {
		if m, ok := r.(map[string]any); ok {
			found = append(found, m)
		}
	}
	return found
}

// ours are the routes that share requests between the two sides.
func (tb *table) ours() []route {
	return slices.DeleteFunc(tb.routes(), func(r route) bool { return !tb.names.ours(r) })
}

func (tb *table) hasOurs() bool { return len(tb.ours()) > 0 }

// onlySends reports whether there is no route of anybody else.
func (tb *table) onlySends() bool {
	return !slices.ContainsFunc(tb.routes(), func(r route) bool { return !tb.sends(r) })
}

// share sets the weights of every route of ours, and nothing else: which Upstreams serve is Ensure's,
// which gives new ones their time.
func (tb *table) share(w router.Weights) {
	for _, r := range tb.ours() {
		tb.reweigh(r, w)
	}
}

// repair brings every route of ours to both sides on the target's port. Its weights stay. Rules that
// stand follow it; of edited ones the next Set is told.
func (tb *table) repair() error {
	stood := tb.standing() != editedRules
	for _, r := range tb.ours() {
		tb.reweigh(r, tb.names.weights(r))
		tb.retarget(r)
	}
	if !stood {
		return nil
	}
	rules, err := notedOn(tb.wanted)
	if err != nil {
		return fmt.Errorf("read the rules of RouteTable %s: %w", tb.key(), err)
	}
	return tb.rule(rules)
}

// weights as they stand. Where somebody made the routes differ, those that give the canary most:
// whoever waits for the canary to be without traffic must not be told the smaller share.
func (tb *table) weights() router.Weights {
	var most router.Weights
	for i, r := range tb.ours() {
		if w := tb.names.weights(r); i == 0 || w.Canary > most.Canary {
			most = w
		}
	}
	return most
}

// claim puts our label and the wanted metadata on the table. Foreign keys stay. An owner reference
// to a Canary goes: with it the route would be collected while it serves.
func (tb *table) claim() {
	object.SetLabels(tb.wanted, tb.labels())
	object.SetAnnotations(tb.wanted, v1beta1.Untracked(tb.Metadata.Annotations))
	object.DropCanaryOwners(tb.wanted)
}

func (tb *table) labels() map[string]string {
	labels := v1beta1.Untracked(tb.Metadata.Labels)
	labels[v1beta1.CanaryLabel] = tb.owner()
	return labels
}

// stamp marks the wanted table with the transition that it is written for.
func (tb *table) stamp(s router.Stamp) {
	object.SetStamp(tb.wanted, s)
}

// changed reports whether there is anything to save.
func (tb *table) changed() bool {
	return !equality.Semantic.DeepEqual(tb.live.Object, tb.wanted.Object)
}

// upstreams that the routes name.
func (tb *table) upstreams(routes []route) []api.ResourceRef {
	var refs []api.ResourceRef
	for _, r := range routes {
		for _, e := range r.entries() {
			if ref, ok := upstreamOf(e, tb.Canary.Namespace); ok {
				refs = append(refs, ref)
			}
		}
	}
	return refs
}

// save sends the difference between the table as read and as wanted.
func (r *Router) save(ctx context.Context, tb *table) error {
	if !tb.changed() {
		return nil
	}
	return r.patch(ctx, tb.live, tb.wanted)
}
