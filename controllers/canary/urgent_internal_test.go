package canary

import (
	"context"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// TestAChangedTargetGoesFirst: before canaries that were woken earlier, but not before users' changes while
// the caches are filled with what there is.
func TestAChangedTargetGoesFirst(t *testing.T) {
	q := priorityqueue.New[reconcile.Request]("test")
	defer q.ShutDown()
	byName := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
		return requests([]types.NamespacedName{client.ObjectKeyFromObject(o)})
	})
	target := func(name, version string) *appsv1.Deployment {
		d := &appsv1.Deployment{}
		d.Name, d.ResourceVersion = name, version
		return d
	}
	urgent{byName}.Create(t.Context(), event.CreateEvent{Object: target("listed", "1"), IsInInitialList: true}, q)
	byName.Update(t.Context(), event.UpdateEvent{ObjectOld: target("woken", "1"), ObjectNew: target("woken", "2")}, q)
	urgent{byName}.Update(t.Context(), event.UpdateEvent{ObjectOld: target("changed", "1"), ObjectNew: target("changed", "2")}, q)
	urgent{byName}.Create(t.Context(), event.CreateEvent{Object: target("created", "1")}, q)
	want := []struct {
		name     string
		priority int
	}{{"changed", first}, {"created", first}, {"woken", usual}, {"listed", handler.LowPriority}}
	for _, w := range want {
		got, priority, _ := q.GetWithPriority()
		if got.Name != w.name || priority != w.priority {
			t.Errorf("got %s at %d, want %s at %d", got.Name, priority, w.name, w.priority)
		}
	}
}
