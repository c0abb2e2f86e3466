package suite

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// weight is the canary's in the RouteTable, since a time.
type weight struct {
	at     time.Time
	canary int64 // in percent
	tenths int64 // of a percent
}

// recorder keeps every weight that the RouteTable ever had: what a poll would miss, too.
type recorder struct {
	mu      sync.Mutex
	weights []weight
	err     error
}

// record watches the RouteTable until the scene ends.
func record(t *testing.T, c client.WithWatch, namespace string) *recorder {
	t.Helper()
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: "gateway.solo.io", Version: "v1", Kind: "RouteTableList"})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	events, err := c.Watch(ctx, list, client.InNamespace(namespace))
	if err != nil {
		cancel()
		t.Fatalf("watch the RouteTable: %v", err)
	}
	r := &recorder{}
	var done sync.WaitGroup
	done.Go(func() {
		for e := range events.ResultChan() {
			if table, ok := e.Object.(*unstructured.Unstructured); ok {
				r.see(table)
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		events.Stop()
		done.Wait()
	})
	return r
}

func (r *recorder) see(table *unstructured.Unstructured) {
	routes, _, err := unstructured.NestedSlice(table.Object, "spec", "routes")
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil || len(routes) == 0 {
		r.err = err
		return
	}
	for _, route := range routes {
		if tenths, ok := shareOf(route.(map[string]any)); ok {
			if n := len(r.weights); n == 0 || r.weights[n-1].tenths != tenths {
				r.weights = append(r.weights, weight{time.Now(), tenths / 10, tenths})
			}
		}
	}
}

// shareOf is the canary's share in tenths of a percent on a route that shares by weight; others are
// what rules need.
func shareOf(route map[string]any) (int64, bool) {
	destinations, _, err := unstructured.NestedSlice(route, "routeAction", "multi", "destinations")
	if err != nil || len(destinations) != 2 {
		return 0, false
	}
	var total, canary int64
	for _, d := range destinations {
		w, _, _ := unstructured.NestedInt64(d.(map[string]any), "weight")
		total += w
		if name, _, _ := unstructured.NestedString(d.(map[string]any), "destination", "upstream", "name"); strings.Contains(name, "-canaryupstream-") {
			canary = w
		}
	}
	return 1000 * canary / max(total, 1), true
}

// seen are the weights so far, with their times.
func (r *recorder) seen(t *testing.T) []weight {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		t.Fatalf("the RouteTable cannot be read: %v", r.err)
	}
	return append([]weight(nil), r.weights...)
}

// values are the weights so far, without their times.
func (r *recorder) values(t *testing.T) []int64 {
	t.Helper()
	var out []int64
	for _, w := range r.seen(t) {
		out = append(out, w.canary)
	}
	return out
}
