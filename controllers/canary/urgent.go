package canary

import (
	"context"

	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// urgent lets what it maps to go before other canaries that wait for their turn, though not while the caches are
// filled. It is for what a user sees begin: of a hundred rollouts that begin at once, the first would keep all
// workers with its pods while the last still waits to be noticed.
type urgent struct{ handler.EventHandler }

// Priorities of a turn. What the caches begin with has a lower one.
const (
	usual = 0
	first = 1
)

func (u urgent) Create(ctx context.Context, e event.TypedCreateEvent[client.Object], q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	u.EventHandler.Create(ctx, e, raise(q))
}

func (u urgent) Update(ctx context.Context, e event.TypedUpdateEvent[client.Object], q workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	u.EventHandler.Update(ctx, e, raise(q))
}

// raised is a queue to which everything is added before the rest, but for what says its own priority.
type raised struct {
	priorityqueue.PriorityQueue[reconcile.Request]
}

func raise(q workqueue.TypedRateLimitingInterface[reconcile.Request]) workqueue.TypedRateLimitingInterface[reconcile.Request] {
	if p, ok := q.(priorityqueue.PriorityQueue[reconcile.Request]); ok {
		return raised{p}
	}
	return q
}

func (r raised) Add(req reconcile.Request) {
	r.AddWithOpts(priorityqueue.AddOpts{Priority: ptr.To(first)}, req)
}
