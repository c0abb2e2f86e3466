package canary

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
)

// AskRelease asks an operator to hand a Canary's traffic back and to keep the object.
func AskRelease(ctx context.Context, c client.Client, canary *v1beta1.Canary) error {
	if releaseAsked(canary) {
		return nil
	}
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"true"}}}`, v1beta1.ReleaseAnnotation)
	err := c.Patch(ctx, canary.DeepCopy(), client.RawPatch(types.MergePatchType, patch), client.FieldOwner(v1beta1.FieldManager))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("ask for the release of %s: %w", client.ObjectKeyFromObject(canary), err)
	}
	return nil
}

// Released is true when nothing holds a Canary any more and its traffic has been handed back.
func Released(c *v1beta1.Canary) bool {
	return c.Status.Phase == v1beta1.PhaseTerminated && !controllerutil.ContainsFinalizer(c, v1beta1.ReleaseFinalizer)
}

// Force does an operator's work for the release of one Canary, which has to be asked for: the same
// loop on a client that reads from the API server, and with the rights of whoever calls it. It is for
// a cluster without an operator, and does no harm beside one: both go by the same status, and of two
// that write it one gives way. It returns once the Canary is released or gone.
func Force(ctx context.Context, c client.Client, o Options, d Deps, name types.NamespacedName) error {
	if o.Namespace != "" {
		c = confined{c, o.Namespace}
	} else {
		c = modest{c, name.Namespace}
	}
	scanning := router.Scanning{Client: c, Indexes: map[string]client.IndexerFunc{}}
	r := assemble(o, d, scanning, scanning)
	r.keda = keda{mapper: c.RESTMapper(), watch: func(client.Object) error { return nil }}
	r.routers = routers{registry: d.Routers, client: r.client, watch: scanning.Watch}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { _ = r.asker.run(ctx) }()
	go func() { _ = r.teller.run(ctx) }()
	return r.drive(ctx, name)
}

// confined lists from one namespace what is asked for from all, as the cache of an operator that watches
// that one alone does: nothing else may be read.
type confined struct {
	client.Client
	namespace string
}

func (c confined) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	return c.Client.List(ctx, list, append([]client.ListOption{client.InNamespace(c.namespace)}, opts...)...)
}

// modest lists from one namespace what its caller may not list from all. Only what a route is judged by is asked for
// from all, and a release does without.
type modest struct {
	client.Client
	namespace string
}

func (c modest) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	err := c.Client.List(ctx, list, opts...)
	if !apierrors.IsForbidden(err) {
		return err
	}
	return confined(c).List(ctx, list, opts...)
}

// drive takes a Canary from turn to turn. Nothing is watched, so it looks at least every recheck.
func (r *Reconciler) drive(ctx context.Context, name types.NamespacedName) error {
	reason := ""
	for {
		c := &v1beta1.Canary{}
		switch err := r.live.Get(ctx, name, c); {
		case apierrors.IsNotFound(err):
			return nil
		case err == nil && Released(c):
			return nil
		case err == nil && !releaseAsked(c):
			return fmt.Errorf("the release of Canary %s has not been asked for", name)
		case err == nil:
			reason = c.Status.Reason
		}
		next, err := r.force(ctx, c)
		if denied(err) {
			return fmt.Errorf("release Canary %s: %w", name, err)
		}
		if next == 0 || next > recheck {
			next = recheck
		}
		if err != nil {
			reason = err.Error()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("canary %s is not released yet (%s): %w", name, reason, ctx.Err())
		case <-r.wake:
		case <-time.After(next):
		}
	}
}

// force is one turn.
func (r *Reconciler) force(ctx context.Context, c *v1beta1.Canary) (time.Duration, error) {
	if c.UID == "" {
		return 0, nil // it could not be read
	}
	if !c.DeletionTimestamp.IsZero() {
		if held, err := r.holdsForRelease(ctx, c); !held || err != nil {
			return 0, err
		}
	}
	next, err := r.advance(ctx, c.DeepCopy())
	switch {
	case err == nil:
		return next, nil
	case dropped(err):
		return 200 * time.Millisecond, nil
	case denied(err):
		return 0, err
	}
	if _, notLetGo := r.letGo(ctx, c.DeepCopy(), err); notLetGo != nil {
		return 0, notLetGo
	}
	return recheck, err
}

// denied is true where the caller lacks a right, which time does not mend.
func denied(err error) bool {
	return apierrors.IsForbidden(err) && !apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
}
