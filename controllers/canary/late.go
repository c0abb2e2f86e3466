package canary

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// An operator that stands still in front of a write, while another one releases the Canary, makes what
// nobody removes any more when it wakes. Nothing refuses that write: what it is about is not there, and an
// owner reference would have Kubernetes take what serves from Canaries that go otherwise.

// lateLimit is how long what is made for a released Canary is known to be too late.
const lateLimit = 15 * time.Minute

// released remembers which Canaries this operator has released, with nothing that stays.
type released struct {
	mu sync.Mutex
	by map[types.NamespacedName]release // by namespace and label
}

type release struct {
	canary types.NamespacedName
	uid    types.UID
	at     time.Time
}

func labelled(namespace, label string) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: label}
}

func (l *released) note(c *v1beta1.Canary, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.by, func(_ types.NamespacedName, r release) bool { return now.Sub(r.at) > lateLimit })
	if l.by == nil {
		l.by = map[types.NamespacedName]release{}
	}
	l.by[labelled(c.Namespace, v1beta1.LabelValue(c.Name))] = release{client.ObjectKeyFromObject(c), c.UID, now}
}

// see forgets a release when there is another Canary of that name, or the same one has adopted again: what is
// made from then on is its own.
func (l *released) see(c *v1beta1.Canary) {
	l.mu.Lock()
	defer l.mu.Unlock()
	label := labelled(c.Namespace, v1beta1.LabelValue(c.Name))
	if l.by[label].uid != c.UID || c.Status.Phase != v1beta1.PhaseTerminated {
		delete(l.by, label)
	}
}

// of finds the released Canary that a label names.
func (l *released) of(namespace, label string, now time.Time) (types.NamespacedName, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, ok := l.by[labelled(namespace, label)]
	return r.canary, ok && now.Sub(r.at) <= lateLimit
}

// madeLate wakes us for a Canary that is gone, when something appears that belongs to it.
func (r *Reconciler) madeLate(_ context.Context, o client.Object) []reconcile.Request {
	name, ok := r.released.of(o.GetNamespace(), o.GetLabels()[v1beta1.CanaryLabel], r.Now())
	if !ok {
		return nil
	}
	return []reconcile.Request{{NamespacedName: name}}
}

// sweepLate removes what was made too late for a Canary that is gone. Of one that we have not released
// ourselves that is only what serves for a moment: the rest may be what somebody left in its place.
// The caches may not show it yet. That there is no Canary is asked last: what was found before that
// cannot be a new one's.
func (r *Reconciler) sweepLate(ctx context.Context, name types.NamespacedName) error {
	all, err := r.madeFor(ctx, r.live, name)
	if err != nil {
		return err
	}
	_, over := r.released.of(name.Namespace, v1beta1.LabelValue(name.Name), r.Now())
	over = over && !slices.ContainsFunc(all, hasPods)
	late := slices.DeleteFunc(all, func(o client.Object) bool { return !momentary(o) && (!over || !onlyOurs(o)) })
	if len(late) == 0 {
		return nil
	}
	if err := r.live.Get(ctx, name, &v1beta1.Canary{}); !apierrors.IsNotFound(err) {
		if err != nil {
			return fmt.Errorf("see whether there is a Canary %s again: %w", name, err)
		}
		return nil
	}
	for _, o := range late {
		if err := r.remove(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// momentary is true for what serves while traffic turns. A bridge would go on sending users to addresses
// that nobody has any more.
func momentary(o client.Object) bool {
	_, bridge := o.(*discoveryv1.EndpointSlice)
	return bridge || isService(o) && o.GetLabels()[v1beta1.RoleLabel] == v1beta1.RoleRelease
}

// hasPods is true for a workload. It stays, with all that its pods may need: somebody may have put it back.
func hasPods(o client.Object) bool {
	switch o.(type) {
	case *appsv1.Deployment, *appsv1.DaemonSet:
		return true
	default:
		return false
	}
}

// onlyOurs is true for what nobody else has written, and no user is led by: a user's copy of an object of ours
// is the user's, and the apex Service stays when a Canary goes.
func onlyOurs(o client.Object) bool {
	apex := isService(o) && apexOf(o) == o.GetName()
	return !apex && !slices.ContainsFunc(o.GetManagedFields(), func(m metav1.ManagedFieldsEntry) bool {
		return m.Manager != v1beta1.FieldManager && m.Subresource == ""
	})
}
