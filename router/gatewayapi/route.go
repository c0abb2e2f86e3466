package gatewayapi

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/internal/object"
)

// route is a target's HTTPRoute: as it was read, and the copy that is changed and then saved.
type route struct {
	names
	live, wanted *unstructured.Unstructured // nil when there is none
	// orphan is true when the Canary that the route names is gone: its successor takes it over.
	orphan bool
	// parents that the live route names, and what their controllers say of it.
	parents []gatewayv1.ParentReference
	said    []gatewayv1.RouteParentStatus
}

// route reads the HTTPRoute of a target from the cache.
func (r *Router) route(ctx context.Context, t router.Target) (*route, error) {
	rt := &route{names: names{t}}
	live := object.New(httpRoutes)
	switch err := r.client.Get(ctx, rt.routeKey(), live); {
	case apierrors.IsNotFound(err):
		return rt, nil
	case err != nil:
		return nil, fmt.Errorf("read HTTPRoute %s: %w", rt.key(), err)
	}
	rt.live, rt.wanted = live, live.DeepCopy()
	rt.orphan = object.Orphan(ctx, r.client, live)
	rt.parents, rt.said = attached(live)
	return rt, nil
}

func (rt *route) key() string  { return rt.routeKey().String() }
func (rt *route) exists() bool { return rt.live != nil }

// writable fails where the route is another Canary's or carries a later transition.
func (rt *route) writable(s router.Stamp) error {
	if !rt.exists() {
		return nil
	}
	if problem := rt.taken(); problem != nil {
		return &router.NotReady{Problem: *problem}
	}
	if object.StampOf(rt.live) > s {
		return router.ErrOvertaken
	}
	return nil
}

// taken is the problem of a route that belongs to another Canary.
func (rt *route) taken() *router.Problem {
	owner := rt.live.GetLabels()[v1beta1.CanaryLabel]
	if owner == "" || owner == rt.owner() || rt.orphan {
		return nil
	}
	return &router.Problem{
		Reason: "RouteTaken",
		Message: fmt.Sprintf("HTTPRoute %s belongs to Canary %s: two canaries cannot share one route. "+
			"Give one of them another spec.service.name, or delete Canary %s", rt.key(), owner, owner),
	}
}

// rules of the wanted route; changing one changes the route.
func (rt *route) rules() []rule { return rulesOf(rt.wanted) }

func rulesOf(u *unstructured.Unstructured) []rule {
	list, _, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "rules")
	all, _ := list.([]any)
	found := make([]rule, 0, len(all))
	for _, r := range all {
		if m, ok := r.(map[string]any); ok {
			found = append(found, m)
		}
	}
	return found
}

// bases are the rules that share the traffic between the two sides.
func (rt *route) bases() []rule {
	return slices.DeleteFunc(rt.rules(), func(r rule) bool { return !rt.sends(r) || rt.picks(r) })
}

// share sets the weights of every base.
func (rt *route) share(w router.Weights) {
	for _, r := range rt.bases() {
		rt.reweigh(r, w)
	}
}

// repair brings every base to both sides, and every rule of ours to the target's port. Weights stay.
func (rt *route) repair() {
	for _, r := range rt.rules() {
		if !rt.sends(r) {
			continue
		}
		if !rt.picks(r) {
			rt.reweigh(r, rt.names.weights(r))
		}
		rt.retarget(r)
	}
}

// weights as they stand. Where somebody made the rules differ, those that give the canary most:
// whoever waits for the canary to be without traffic must not be told the smaller share.
func (rt *route) weights() router.Weights {
	var most router.Weights
	for i, r := range rt.bases() {
		if w := rt.names.weights(r); i == 0 || w.Canary > most.Canary {
			most = w
		}
	}
	return most
}

// claim puts our label and the wanted metadata on the route. Foreign keys stay.
func (rt *route) claim() {
	object.SetLabels(rt.wanted, rt.labels())
	object.SetAnnotations(rt.wanted, v1beta1.Untracked(rt.Metadata.Annotations))
	object.DropCanaryOwners(rt.wanted)
}

func (rt *route) labels() map[string]string {
	labels := v1beta1.Untracked(rt.Metadata.Labels)
	labels[v1beta1.CanaryLabel] = rt.owner()
	return labels
}

// changed reports whether there is anything to save.
func (rt *route) changed() bool {
	return !equality.Semantic.DeepEqual(rt.live.Object, rt.wanted.Object)
}

// save sends the difference between the route as read and as wanted.
func (r *Router) save(ctx context.Context, rt *route) error {
	if !rt.changed() {
		return nil
	}
	return rt.refusal(object.Patch(ctx, r.client, rt.live, rt.wanted))
}

// refusal turns the API server's no into words for the user: asking again changes nothing.
func (rt *route) refusal(err error) error {
	switch {
	case object.KindGone(err):
		return notInstalled()
	case err == nil || !object.Refused(err):
		return err
	}
	return &router.NotReady{Problem: router.Problem{
		Reason: "RouteRefused",
		Message: fmt.Sprintf("the API server refuses HTTPRoute %s as spec.service and the analysis of Canary %s ask for it: %s. "+
			"Correct the field, or install CRDs of the Gateway API that know it", rt.key(), rt.Canary, oneLine(err.Error())),
	}}
}

// maxWords keeps others' words short enough for a condition.
const maxWords = 400

func oneLine(s string) string {
	line := []rune(strings.Join(strings.Fields(s), " "))
	if len(line) > maxWords {
		return string(line[:maxWords-1]) + "…"
	}
	return string(line)
}
