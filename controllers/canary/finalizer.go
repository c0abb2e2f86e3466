package canary

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/serin-dev/serin/apis/v1beta1"
)

const (
	// tellingLimit is how long a deleted Canary is kept for its last message.
	tellingLimit = 10 * time.Second
	// releaseMargin is added to what a release may take by its own deadlines: after that a deleted
	// Canary goes, whatever could not be read or written.
	releaseMargin = 15 * time.Minute
)

// keepFinalizer puts the finalizer on with the commit that begins an adoption, before anything is
// changed, and takes it off where deleting the Canary is to leave everything as it stands.
func (r *Reconciler) keepFinalizer(ctx context.Context, c *v1beta1.Canary, next *v1beta1.CanaryStatus) error {
	if next == nil {
		next = &c.Status
	}
	has := controllerutil.ContainsFinalizer(c, v1beta1.ReleaseFinalizer)
	wants := c.HandsBack() && next.Promoted != nil && next.Phase != v1beta1.PhaseTerminated
	switch {
	case !c.DeletionTimestamp.IsZero(), has == wants, has && c.HandsBack(): // the end of a release takes it off
		return nil
	case has:
		return r.dropFinalizer(ctx, c)
	}
	before := c.DeepCopy()
	controllerutil.AddFinalizer(c, v1beta1.ReleaseFinalizer)
	if err := r.client.Patch(ctx, c, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(v1beta1.FieldManager)); err != nil {
		return fmt.Errorf("put the finalizer on %s: %w", client.ObjectKeyFromObject(c), err)
	}
	return nil
}

// dropFinalizer lets a Canary go. The write is not remembered as ours: the object is not to come back.
func (r *Reconciler) dropFinalizer(ctx context.Context, c *v1beta1.Canary) error {
	before := c.DeepCopy()
	if !controllerutil.RemoveFinalizer(c, v1beta1.ReleaseFinalizer) {
		return nil
	}
	err := r.client.Client.Patch(ctx, c, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(v1beta1.FieldManager))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("take the finalizer off %s: %w", client.ObjectKeyFromObject(c), err)
	}
	return nil
}

// holdsForRelease is true while a deleted Canary is kept for its traffic to be handed back. It is let
// go at once where its namespace goes too, or where everything is to stay as it stands.
func (r *Reconciler) holdsForRelease(ctx context.Context, c *v1beta1.Canary) (bool, error) {
	if !controllerutil.ContainsFinalizer(c, v1beta1.ReleaseFinalizer) {
		return false, nil
	}
	if c.HandsBack() && !r.namespaceEnds(ctx, c.Namespace) {
		return true, nil
	}
	return false, r.dropFinalizer(ctx, c.DeepCopy())
}

// namespaceEnds is true when the namespace was seen to be deleted. One that cannot be read is taken to
// live on: the writes that it refuses tell as well.
func (r *Reconciler) namespaceEnds(ctx context.Context, name string) bool {
	ns := &metav1.PartialObjectMetadata{}
	ns.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := r.live.Get(ctx, client.ObjectKey{Name: name}, ns)
	return apierrors.IsNotFound(err) || err == nil && !ns.DeletionTimestamp.IsZero()
}

// dying is true once all pods that serve are gone because the namespace goes: pods are the first that
// it takes. An operator whose rights are in the same namespace may have lost them by the time that the
// Canary itself is deleted.
func (r *Reconciler) dying(ctx context.Context, v *view) bool {
	p, s := v.Primary, &v.canary.Status
	served := s.Promoted != nil && s.Initialization == nil && s.Release == nil && p.Exists && p.Replicas > 0
	return served && p.Endpoints == 0 && r.namespaceEnds(ctx, v.canary.Namespace)
}

// finishRelease lets a Canary go whose release is through, once the end of it was told or could not be
// told for a while. It returns when to look again.
func (r *Reconciler) finishRelease(ctx context.Context, c *v1beta1.Canary) (time.Time, error) {
	if c.Status.Phase != v1beta1.PhaseTerminated || !controllerutil.ContainsFinalizer(c, v1beta1.ReleaseFinalizer) {
		return time.Time{}, nil
	}
	record, _ := r.teller.delivered(c)
	last := c.Status.LastTransitionTime.Add(tellingLimit)
	if n := len(c.Status.Journal); n > 0 && record.reached < c.Status.Journal[n-1].Transition && r.Now().Before(last) {
		return last, nil
	}
	if rel := c.Status.Release; rel != nil && rel.Stays == "" {
		r.released.note(c, r.Now())
	}
	return time.Time{}, r.dropFinalizer(ctx, c)
}

// letGo ends a release that meets an error which will not pass: the namespace refuses writes because
// it goes, or the Canary has been deleted for longer than all its deadlines together. Any other error
// is only logged, and the next look comes soon: the deadlines of the steps count on.
func (r *Reconciler) letGo(ctx context.Context, c *v1beta1.Canary, err error) (time.Duration, error) {
	ending := apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
	late := !c.DeletionTimestamp.IsZero() && r.Now().After(c.DeletionTimestamp.Add(2*c.ProgressDeadline()+releaseMargin))
	if !c.DeletionTimestamp.IsZero() && (ending || late) {
		ctrl.LoggerFrom(ctx).Info("letting the Canary go before its release is through", "reason", err.Error())
		return 0, r.dropFinalizer(ctx, c)
	}
	ctrl.LoggerFrom(ctx).Error(err, "the release does not get on")
	return recheck, nil
}

// letGoAtEnd lets the Canaries of the operator's own namespace go when it ends because that namespace
// does: nobody would be left to do it, and the namespace could not end.
func (r *Reconciler) letGoAtEnd(ctx context.Context) error {
	<-ctx.Done()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellingLimit)
	defer cancel()
	if r.Home == "" || !r.watches(r.Home) || !r.namespaceEnds(ctx, r.Home) {
		return nil
	}
	var l v1beta1.CanaryList
	if err := r.live.List(ctx, &l, client.InNamespace(r.Home)); err != nil {
		return fmt.Errorf("list canaries of a namespace that ends: %w", err)
	}
	for i := range l.Items {
		if !r.handles(&l.Items[i]) {
			continue
		}
		if err := r.dropFinalizer(ctx, &l.Items[i]); err != nil {
			return err
		}
	}
	return nil
}
