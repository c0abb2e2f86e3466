package gloo

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/gloo/api"
	"github.com/serin-dev/serin/router/internal/object"
)

// unusedAnnotation says since when no route names an Upstream of ours.
const unusedAnnotation = "serin.dev/unused-since"

// Gloo sends clusters and routes to Envoy in one snapshot, clusters first, and finds the endpoints of a
// new Upstream later. A route that turns to a new cluster, or away from one that goes, misses it until
// then: with Gloo 1.22 such requests were answered 503 for two seconds. So Upstreams are there for a
// while before traffic turns to them, and go only a while after it has turned away.

// unseenTime is how long an Upstream without any word from Gloo is waited for. With Gloo away nothing
// reaches Envoy anyway.
const unseenTime = 3 * router.SettleTime

// unusedTime is how long an Upstream that no route names is kept. The note of it has whole seconds, so
// up to one more is needed.
const unusedTime = router.SettleTime + time.Second

// settled returns nil once Gloo has had the Upstreams for long enough, and a *NotReady until then or
// while it rejects one.
func (p pair) settled(now time.Time) error {
	var wait time.Duration
	for _, s := range sides {
		need := unseenTime
		for _, v := range verdicts(p[s]) {
			if problem, broken := brokenBy(p[s], v); broken {
				return &router.NotReady{Problem: problem}
			}
			need = router.SettleTime
		}
		wait = max(wait, need-now.Sub(p[s].GetCreationTimestamp().Time))
	}
	if wait <= 0 {
		return nil
	}
	return &router.NotReady{
		Problem: router.Problem{
			Reason:  "UpstreamsSettling",
			Message: fmt.Sprintf("Gloo takes up %s and %s before traffic turns to them", object.Title(p[primary]), object.Title(p[canary])),
		},
		// Clocks may differ: never wait for more than the whole time.
		RetryAfter: min(wait, unseenTime),
	}
}

// sweep removes the Upstreams of this target that no route of the table has named for a while, such
// as those of an earlier port. It returns how many are still to go.
func (r *Router) sweep(ctx context.Context, tb *table) (int, error) {
	all := api.NewList(api.Upstream)
	if err := r.client.List(ctx, all, client.InNamespace(tb.Canary.Namespace), client.MatchingLabels(tb.upstreamLabels())); err != nil {
		return 0, fmt.Errorf("list the Upstreams of Canary %s: %w", tb.Canary, err)
	}
	named := tb.named()
	left := 0
	for i := range all.Items {
		up := &all.Items[i]
		if _, ours := tb.sideOf(up.GetName()); !ours || named[up.GetName()] {
			continue
		}
		gone, err := r.retire(ctx, up)
		if err != nil {
			return left, err
		}
		if !gone {
			left++
		}
	}
	return left, nil
}

// named are the Upstreams of the table's namespace that any of its routes names.
func (tb *table) named() map[string]bool {
	found := map[string]bool{}
	if tb.wanted == nil {
		return found
	}
	for _, ref := range tb.upstreams(tb.routes()) {
		if ref.Namespace == tb.Canary.Namespace {
			found[ref.Name] = true
		}
	}
	return found
}

// retire notes when an Upstream was first found unused and deletes it some time later.
func (r *Router) retire(ctx context.Context, up *unstructured.Unstructured) (gone bool, err error) {
	since, err := time.Parse(time.RFC3339, up.GetAnnotations()[unusedAnnotation])
	if err != nil {
		wanted := up.DeepCopy()
		object.SetAnnotations(wanted, map[string]string{unusedAnnotation: r.now().UTC().Format(time.RFC3339)})
		return false, r.patch(ctx, up, wanted)
	}
	if r.now().Sub(since) < unusedTime {
		return false, nil
	}
	return true, r.remove(ctx, up)
}

// remove deletes exactly what was read: an Upstream that came into use since has another version.
func (r *Router) remove(ctx context.Context, up *unstructured.Unstructured) error {
	uid, version := up.GetUID(), up.GetResourceVersion()
	err := r.client.Delete(ctx, up, client.Preconditions{UID: &uid, ResourceVersion: &version})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete %s: %w", object.Title(up), err)
	}
	return nil
}
