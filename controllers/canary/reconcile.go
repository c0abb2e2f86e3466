package canary

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/rollout"
	"github.com/serin-dev/serin/router"
)

// Reconcile is one turn of the loop. The commit of the status is the only point of decision: what
// comes before it has changed nothing, and what comes after it can be repeated.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	next, err := r.turn(ctx, req)
	switch {
	case err == nil:
		return reconcile.Result{RequeueAfter: next, Priority: ptr.To(usual)}, nil // what was urgent, or late, was so once
	case dropped(err):
		// Somebody was faster, or the cache is behind: nothing of the decision stands. The watch
		// event wakes us; the requeue is for the case that it has come already.
		ctrl.LoggerFrom(ctx).V(1).Info("dropped a decision", "reason", err.Error())
		return reconcile.Result{RequeueAfter: staleness}, nil
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return reconcile.Result{}, nil // the canary goes with its namespace
	default:
		return reconcile.Result{}, err
	}
}

// staleness is when a canary is looked at again that a watch event should have woken by then.
const staleness = 200 * time.Millisecond

// dropped is true for errors that say that a decision was not taken or not carried out because the
// world moved on.
func dropped(err error) bool {
	return errors.Is(err, errStale) || errors.Is(err, router.ErrOvertaken) || apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err)
}

func (r *Reconciler) turn(ctx context.Context, req reconcile.Request) (time.Duration, error) {
	c := &v1beta1.Canary{}
	if err := r.client.Get(ctx, req.NamespacedName, c); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(req)
			return 0, r.sweepLate(ctx, req.NamespacedName)
		}
		return 0, err
	}
	r.released.see(c)
	if !r.handles(c) {
		r.forget(req)
		return 0, nil
	}
	if !c.DeletionTimestamp.IsZero() {
		if held, err := r.holdsForRelease(ctx, c); !held || err != nil {
			return 0, err
		}
	}
	next, err := r.advance(ctx, c.DeepCopy())
	if err != nil && !dropped(err) && (releaseAsked(c) || c.Status.Release != nil) {
		return r.letGo(ctx, c.DeepCopy(), err)
	}
	return next, err
}

// advance takes a Canary one decision further.
func (r *Reconciler) advance(ctx context.Context, c *v1beta1.Canary) (time.Duration, error) {
	before := numberOf(c)
	v, d, err := r.decide(ctx, c)
	if err != nil || v == nil {
		return 0, err
	}
	r.Telemetry.Observe(c)
	r.teller.tell(c)
	if numberOf(c) != before {
		return staleness, nil // its pods come behind the rollouts that begin in the same moment
	}
	w := rollout.Desired(v.Observed)
	if err := r.converge(ctx, v, w); err != nil {
		return 0, err
	}
	if d.Next == nil {
		r.asker.ask(v, d.Questions)
	}
	told, err := r.finishRelease(ctx, c)
	return until(r.Now(), d.WakeAt, w.WakeAt, v.retryAt, told, r.lookAgain(v), v.settles), err
}

// decide observes, plans and commits. It returns no view where the Canary is let go of instead.
func (r *Reconciler) decide(ctx context.Context, c *v1beta1.Canary) (*view, rollout.Decision, error) {
	defer r.startingAlone(c)()
	v, err := r.observe(ctx, c)
	if err != nil {
		return nil, rollout.Decision{}, err
	}
	if r.dying(ctx, v) {
		return nil, rollout.Decision{}, r.dropFinalizer(ctx, c)
	}
	d := rollout.Plan(v.Observed)
	r.acknowledge(c, &d)
	trackConfigs(v, &d)
	if err := r.keepFinalizer(ctx, c, d.Next); err != nil {
		return v, d, err
	}
	if d.Next != nil {
		err = r.commit(ctx, v, d.Next)
	}
	return v, d, err
}

// numberOf is the number of the present or last rollout, 0 for none.
func numberOf(c *v1beta1.Canary) int64 {
	if c.Status.Rollout == nil {
		return 0
	}
	return c.Status.Rollout.Number
}

// lookAgain is set where nothing would wake the canary when what it lacks comes: kinds that the API
// server does not know cannot be watched, a canary that goes first may have its template put back before
// anything of it has begun that could end, and one that fills a group may leave it.
func (r *Reconciler) lookAgain(v *view) time.Time {
	refusal, _ := r.refused.of(client.ObjectKeyFromObject(v.canary))
	if v.router != nil && !v.scalers.unknown && !refusal.Unwatched && v.Ahead == "" {
		return time.Time{}
	}
	return r.Now().Add(30 * time.Second)
}

// commit is the point of decision: one status write with optimistic lock.
func (r *Reconciler) commit(ctx context.Context, v *view, next *v1beta1.CanaryStatus) error {
	v.canary.Status = *next
	if err := r.client.Status().Update(ctx, v.canary, client.FieldOwner(v1beta1.FieldManager)); err != nil {
		return fmt.Errorf("commit transition %d of %s: %w", next.Transition, client.ObjectKeyFromObject(v.canary), err)
	}
	r.client.note(v.canary, nil)
	r.asker.keep(v.canary)
	return nil
}

// acknowledge adds to a decision what has been delivered since the last commit. At rest it is a
// decision of its own, so that a restart does not tell everything again.
func (r *Reconciler) acknowledge(c *v1beta1.Canary, d *rollout.Decision) {
	rec, ok := r.teller.delivered(c)
	if d.Next == nil && ok && rec.news(c) && rec.settled && resting(c) {
		d.Next = c.Status.DeepCopy()
	}
	if d.Next == nil {
		return
	}
	defer r.teller.audience.countLost(c, d.Next)
	if !ok {
		return
	}
	d.Next.Told, d.Next.Sinks = max(rec.told, c.Status.Told), rec.sinks
	if d.Next.Rollout != nil && c.Status.Rollout != nil && d.Next.Rollout.Number == c.Status.Rollout.Number {
		d.Next.Receipts = rec.receipts
	}
}

// resting is true while nothing comes next by itself, so that no later commit will note the delivery.
func resting(c *v1beta1.Canary) bool {
	switch c.Status.Phase {
	case v1beta1.PhaseInitialized, v1beta1.PhaseSucceeded, v1beta1.PhaseFailed, v1beta1.PhaseWaiting, v1beta1.PhaseTerminated:
		return true
	default:
		return c.Spec.Suspend || meta.IsStatusConditionTrue(c.Status.Conditions, v1beta1.ConditionStalled)
	}
}

func (r *Reconciler) forget(req reconcile.Request) {
	r.asker.forget(req.NamespacedName)
	r.teller.forget(req.NamespacedName)
	r.refused.forget(req.NamespacedName)
	r.handbacks.forget(req.NamespacedName)
	r.unkept.forget(req.NamespacedName)
	r.settling.forget(req.NamespacedName)
	r.Telemetry.Forget(req.NamespacedName)
}

// until is the time to the earliest of the given moments that are set; 0 when none is.
func until(now time.Time, moments ...time.Time) time.Duration {
	var d time.Duration
	for _, m := range moments {
		if m.IsZero() {
			continue
		}
		if left := max(m.Sub(now), time.Millisecond); d == 0 || left < d {
			d = left
		}
	}
	return d
}
