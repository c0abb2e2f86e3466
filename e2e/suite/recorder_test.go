package suite

import (
	"context"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// weight is the canary's in the route, since a time.
type weight struct {
	at     time.Time
	canary int64 // in percent
	tenths int64 // of a percent
}

// recorder keeps every weight that the route ever had: what a poll would miss, too.
type recorder struct {
	gateway gateway

	mu      sync.Mutex
	weights []weight
	err     error
}

// record watches the route until the scene ends.
func record(t *testing.T, c client.WithWatch, g gateway, namespace string) *recorder {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	r := &recorder{gateway: g}
	events, err := r.watch(ctx, c, namespace)
	if err != nil {
		cancel()
		t.Fatalf("watch the route: %v", err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			if err == nil {
				r.follow(events)
			}
			// An API server that restarts ends watches, and refuses new ones for a while. Between two of them
			// no step is missed: each lasts for seconds.
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
				events, err = r.watch(ctx, c, namespace)
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		done.Wait()
	})
	return r
}

// watch begins with the route as it is.
func (r *recorder) watch(ctx context.Context, c client.WithWatch, namespace string) (watch.Interface, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(r.gateway.routes)
	return c.Watch(ctx, list, client.InNamespace(namespace))
}

// follow sees what happens until a watch ends.
func (r *recorder) follow(events watch.Interface) {
	defer events.Stop()
	for e := range events.ResultChan() {
		if route, ok := e.Object.(*unstructured.Unstructured); ok && e.Type != watch.Deleted {
			r.see(route)
		}
	}
}

func (r *recorder) see(route *unstructured.Unstructured) {
	shares, err := r.gateway.shares(route)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.err = err
		return
	}
	for _, tenths := range shares {
		if n := len(r.weights); n == 0 || r.weights[n-1].tenths != tenths {
			r.weights = append(r.weights, weight{time.Now(), tenths / 10, tenths})
		}
	}
}

// seen are the weights so far, with their times.
func (r *recorder) seen(t *testing.T) []weight {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		t.Fatalf("the route cannot be read: %v", r.err)
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
