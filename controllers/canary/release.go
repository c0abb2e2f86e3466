package canary

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/revision"
	"github.com/serin-dev/serin/pkg/rollout"
	"github.com/serin-dev/serin/pkg/workload"
	"github.com/serin-dev/serin/router"
)

// recheck is how soon a release looks again where nothing may wake it.
const recheck = 2 * time.Second

// releaseAsked is true while a Canary's traffic is to be handed back.
func releaseAsked(c *v1beta1.Canary) bool {
	return !c.DeletionTimestamp.IsZero() || c.Annotations[v1beta1.ReleaseAnnotation] == "true"
}

// seeRelease looks at what only a release asks for.
func (r *Reconciler) seeRelease(ctx context.Context, v *view) error {
	c := v.canary
	v.Release = releaseAsked(c)
	if c.Status.Phase == v1beta1.PhaseTerminated {
		return nil
	}
	r.recallLabel(v)
	if v.services.Apex != nil && v.label.Key != "" {
		v.Apex.ToTarget = equality.Semantic.DeepEqual(v.services.Apex.Spec.Selector, v.services.OriginalSelector())
	}
	if v.target != nil {
		n, err := strconv.ParseInt(v.target.GetAnnotations()[v1beta1.OriginalReplicasAnnotation], 10, 32)
		if err == nil {
			v.Target.Original = int32(n)
		}
	}
	v.Target.Limit = v.scalers.limit()
	if rel := c.Status.Release; rel != nil {
		r.seeHandback(v, rel)
		if rel.Step == v1beta1.StepRemoving {
			return r.seeLeftovers(ctx, v)
		}
	}
	// Before the first step too: what it may write depends on both.
	if err := r.seeContents(ctx, v); err != nil {
		return err
	}
	return r.seeTargetPods(ctx, v)
}

// seeContents finds what the promoted template would bring back that was never promoted, or was
// rejected: the template refers to the originals, and those are the user's.
func (r *Reconciler) seeContents(ctx context.Context, v *view) error {
	promoted := v.canary.Status.LastPromotedSpec
	if v.target == nil || promoted == "" {
		return nil
	}
	before, err := r.revisions.Configs(ctx, v.canary.Namespace, promoted)
	if err != nil || len(before) == 0 {
		return err
	}
	now, err := r.revisions.Originals(ctx, v.canary, v.target.Raw(), promoted)
	v.Target.ContentsDiffer = changed(before, now)
	return err
}

func (r *Reconciler) seeLeftovers(ctx context.Context, v *view) error {
	var err error
	v.leftovers, err = r.findLeftovers(ctx, v)
	for _, l := range v.leftovers {
		v.Leftovers = append(v.Leftovers, l.what)
	}
	return err
}

// recallLabel finds the selector label on the primary where the target is gone.
func (r *Reconciler) recallLabel(v *view) {
	if v.label.Key != "" || v.primary == nil {
		return
	}
	label, ok := workload.FindSelectorLabel(v.primary, r.SelectorLabels)
	if !ok {
		return
	}
	v.label = label.Without(v1beta1.RolePrimary)
	v.services.Label = v.label
	if apex := v.services.Apex; apex != nil {
		v.Apex = rollout.Apex{Exists: true, ToPrimary: equality.Semantic.DeepEqual(apex.Spec.Selector, v.services.ApexSelector())}
	}
}

// seeHandback says whether the route has been handed back in the present step. A router whose kinds
// are not installed has no routes; one that this operator does not have may.
func (r *Reconciler) seeHandback(v *view, rel *v1beta1.ReleaseStatus) {
	if v.router != nil {
		v.Route.Released = r.handbacks.done(v.routed.Canary, rel)
		return
	}
	_, err := r.Routers.Get(r.provider(v.canary))
	v.Route.Released = err == nil
}

// seeTargetPods counts the target's own pods, and who keeps its template where that matters.
func (r *Reconciler) seeTargetPods(ctx context.Context, v *view) error {
	d := v.target
	if d == nil {
		return nil
	}
	if name := v.Target.Revision.Name; name != "" && name != v.canary.Status.LastPromotedSpec {
		v.Target.Keeper = v1beta1.Keeper(d.GetLabels(), d.GetAnnotations())
		if w := r.writer(ctx, copyOf(d), "spec.template"); v.Target.Keeper == "" && gitops[w] {
			v.Target.Keeper = w
		}
	}
	n := d.Counts()
	v.Target.Pods = rollout.Workload{
		Exists: true, Revision: v.Target.Revision.Name, Images: revision.Images(d.Template()),
		Replicas: d.Replicas(), Pods: n.Pods, Updated: n.Updated, Available: n.Available, Synced: n.Synced,
		Trouble: d.Trouble(), Given: d.Kind() == workload.KindDaemonSet,
	}
	if d.Replicas() == 0 {
		return nil
	}
	var err error
	v.Target.Pods.Endpoints, err = r.ownEndpoints(ctx, v)
	return err
}

// gitops are field managers of tools that may leave no mark on what they keep.
var gitops = map[string]bool{"argocd-controller": true, "kustomize-controller": true, "helm-controller": true, "helm": true}

// ownEndpoints counts the ready addresses of the target's own pods that are not going. Their revision
// follows from the Deployment's counts: none of them is an older one's once all are updated.
func (r *Reconciler) ownEndpoints(ctx context.Context, v *view) (int32, error) {
	pods := &metav1.PartialObjectMetadataList{}
	pods.SetGroupVersionKind(podMetadata().GroupVersionKind().GroupVersion().WithKind("PodList"))
	if err := r.live.List(ctx, pods, client.InNamespace(v.canary.Namespace), client.MatchingLabels(v.target.Selector().MatchLabels)); err != nil {
		return 0, fmt.Errorf("list pods of %s %s/%s: %w", v.target.Kind(), v.target.GetNamespace(), v.target.GetName(), err)
	}
	stay := map[string]bool{}
	for i := range pods.Items {
		stay[pods.Items[i].Name] = pods.Items[i].DeletionTimestamp.IsZero()
	}
	return r.readyIn(ctx, v.canary.Namespace, v.canary.ReleaseServiceName(), stay)
}

// probeTarget keeps the Service of the target's own pods: what it shows may take traffic, and the
// bridge is made of it.
func (r *Reconciler) probeTarget(ctx context.Context, v *view, w rollout.World) error {
	if w.Release == nil || !w.Release.Probe || v.target == nil || v.label.Key == "" {
		return nil
	}
	want := v.services.TargetPods()
	live, err := get[corev1.Service](ctx, r.client, want.Namespace, want.Name)
	switch {
	case err != nil:
		return err
	case live == nil:
	case live.Labels[v1beta1.CanaryLabel] == "":
		return fmt.Errorf("Service %s/%s is in the way: it is not Serin's", want.Namespace, want.Name)
	case workload.SameService(live, want):
		return nil
	}
	if err := r.client.Patch(ctx, want, client.Apply, client.FieldOwner(v1beta1.FieldManager), client.ForceOwnership); err != nil { //nolint:staticcheck // see keepServices
		return fmt.Errorf("apply Service %s/%s: %w", want.Namespace, want.Name, err)
	}
	return nil
}

// fillTarget gives the target the promoted template, and then the pods that it takes over with.
func (r *Reconciler) fillTarget(ctx context.Context, v *view, w rollout.World) error {
	h := w.Release
	switch {
	case h == nil, v.target == nil:
		return nil
	case h.Template != "":
		return r.returnTemplate(ctx, v, h.Template)
	case h.Replicas > 0 && v.scalers.paused():
		return r.resumeScaledObject(ctx, v) // or KEDA would take the pods away again
	case !v.target.Sized(h.Replicas) && h.Replicas > v.target.Replicas():
		if f := v.target.Filling(); f != nil {
			return r.patch(ctx, v.target.Raw(), f.Path, f.Value)
		}
		return r.scaleTarget(ctx, v, h.Replicas)
	}
	return nil
}

// returnTemplate writes a snapshot into the target. The template that it replaces stays in the
// Deployment's own history.
func (r *Reconciler) returnTemplate(ctx context.Context, v *view, name string) error {
	template, err := r.revisions.Template(ctx, v.canary.Namespace, name)
	if err != nil {
		return err
	}
	return r.patch(ctx, v.target.Raw(), "/spec/template", template)
}

// returnApex turns the apex Service back to what it selected before the adoption.
func (r *Reconciler) returnApex(ctx context.Context, v *view, w rollout.World) error {
	apex := v.services.Apex
	if w.Release == nil || !w.Release.ApexToTarget || apex == nil || v.label.Key == "" || v.Apex.ToTarget {
		return nil
	}
	return r.patch(ctx, apex, "/spec/selector", v.services.OriginalSelector())
}

// patch replaces one field of an object of the user's whole, at the version that it was seen at.
func (r *Reconciler) patch(ctx context.Context, o client.Object, path string, value any) error {
	patch, err := json.Marshal([]map[string]any{
		{"op": "replace", "path": "/metadata/resourceVersion", "value": o.GetResourceVersion()},
		{"op": "replace", "path": path, "value": value},
	})
	if err != nil {
		return fmt.Errorf("encode patch of %T %s: %w", o, o.GetName(), err)
	}
	if err := r.client.Patch(ctx, o.DeepCopyObject().(client.Object), client.RawPatch(types.JSONPatchType, patch), client.FieldOwner(v1beta1.FieldManager)); err != nil {
		return fmt.Errorf("hand back %T %s/%s: %w", o, o.GetNamespace(), o.GetName(), err)
	}
	return nil
}

// releaseRoute lets the router hand the route back, and remembers that it has: the next turn goes on.
func (r *Reconciler) releaseRoute(ctx context.Context, v *view, w rollout.World) error {
	if w.Release == nil || !w.Release.Route || v.router == nil || v.Route.Released {
		return nil
	}
	err := v.router.Release(ctx, v.routed)
	missing, notReady := errors.AsType[*router.NotReady](err)
	switch {
	case err == nil, meta.IsNoMatchError(err), apierrors.IsNotFound(err):
		r.handbacks.note(v.routed.Canary, v.canary.Status.Release)
		r.wakeUp(v.routed.Canary)
		return nil
	case notReady && missing.RetryAfter > 0:
		v.retryAt = r.Now().Add(missing.RetryAfter)
		return nil
	}
	changed, err := r.refused.note(v.routed.Canary, err)
	if changed {
		r.wakeUp(v.routed.Canary)
	}
	return err
}

// handbacks remembers in which step of which release a route was handed back. After a restart the
// router is asked once more, which changes nothing.
type handbacks struct {
	mu sync.Mutex
	at map[types.NamespacedName]metav1.MicroTime
}

func (h *handbacks) note(name types.NamespacedName, rel *v1beta1.ReleaseStatus) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at == nil {
		h.at = map[types.NamespacedName]metav1.MicroTime{}
	}
	h.at[name] = rel.Since
}

func (h *handbacks) done(name types.NamespacedName, rel *v1beta1.ReleaseStatus) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	at, ok := h.at[name]
	return ok && at.Equal(&rel.Since)
}

func (h *handbacks) forget(name types.NamespacedName) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.at, name)
}
