package canary

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"sync"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/rollout"
	"github.com/serin-dev/serin/pkg/workload"
)

// scalers are the target's autoscaler and the primary's copy of it, of one kind or the other.
type scalers struct {
	hpa, primaryHPA       *autoscalingv2.HorizontalPodAutoscaler
	scaled, primaryScaled *unstructured.Unstructured
	// unknown is true where the API server does not know the kind, so that nothing can be watched.
	unknown bool
}

func (r *Reconciler) seeAutoscaler(ctx context.Context, v *view) error {
	ref, ns := v.canary.Spec.AutoscalerRef, v.canary.Namespace
	if ref == nil {
		return nil
	}
	if k := v.canary.Spec.TargetRef.Kind; k != workload.KindDeployment {
		v.problem("UnsupportedAutoscaler", "a %s has no replicas for a %s to set: remove spec.autoscalerRef", k, ref.Kind)
		return nil
	}
	if ref.Kind == "ScaledObject" {
		return r.seeScaledObject(ctx, v)
	}
	var err error
	if v.scalers.hpa, err = get[autoscalingv2.HorizontalPodAutoscaler](ctx, r.client, ns, ref.Name); err != nil {
		return err
	}
	if v.scalers.hpa == nil {
		v.autoscalerMissing()
		return nil
	}
	if len(ref.PrimaryScalerQueries) > 0 {
		v.warning("ScalerQueriesIgnored", "spec.autoscalerRef.primaryScalerQueries have no effect: a HorizontalPodAutoscaler has no queries")
	}
	v.scalers.primaryHPA, err = get[autoscalingv2.HorizontalPodAutoscaler](ctx, r.client, ns, ref.Name+"-"+v1beta1.RolePrimary)
	return err
}

func (v *view) autoscalerMissing() {
	ref := v.canary.Spec.AutoscalerRef
	v.problem("AutoscalerMissing", "%s %s/%s does not exist: create it, or correct spec.autoscalerRef", ref.Kind, v.canary.Namespace, ref.Name)
}

func (r *Reconciler) seeScaledObject(ctx context.Context, v *view) error {
	ref := v.canary.Spec.AutoscalerRef
	known, err := r.keda.known()
	if err != nil {
		return err
	}
	if !known {
		v.scalers.unknown = true
		v.problem("KedaNotInstalled", "the cluster does not know ScaledObject.v1alpha1.keda.sh: install KEDA with its CRDs, or name a HorizontalPodAutoscaler in spec.autoscalerRef")
		return nil
	}
	if v.scalers.scaled, err = r.scaledObject(ctx, v.canary.Namespace, ref.Name); err != nil {
		return err
	}
	if v.scalers.scaled == nil {
		v.autoscalerMissing()
		return nil
	}
	if unknown := workload.UnknownQueries(v.canary, v.scalers.scaled); len(unknown) > 0 {
		v.warning("ScalerQueriesIgnored", "spec.autoscalerRef.primaryScalerQueries %v have no effect: ScaledObject %s has no trigger of such a name", unknown, ref.Name)
	}
	v.scalers.primaryScaled, err = r.scaledObject(ctx, v.canary.Namespace, ref.Name+"-"+v1beta1.RolePrimary)
	return err
}

func (r *Reconciler) scaledObject(ctx context.Context, namespace, name string) (*unstructured.Unstructured, error) {
	u := workload.BlankScaledObject()
	err := r.client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, u)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read ScaledObject %s/%s: %w", namespace, name, err)
	}
	return u, nil
}

// keepAutoscaler keeps the primary's copy in step with the target's autoscaler.
func (r *Reconciler) keepAutoscaler(ctx context.Context, v *view, w rollout.World) error {
	if w.Primary == nil || v.target == nil {
		return nil
	}
	ref := v.canary.Spec.AutoscalerRef
	want, same := v.scalers.copy(v.canary, w.Primary.Floor)
	if want == nil && ref != nil {
		return nil // it is missing, which is told; the copy goes on as it is
	}
	if want != nil && !same {
		if err := r.client.Patch(ctx, want, client.Apply, client.FieldOwner(v1beta1.FieldManager), client.ForceOwnership); err != nil { //nolint:staticcheck // see keepServices
			return fmt.Errorf("apply %s %s/%s: %w", ref.Kind, want.GetNamespace(), want.GetName(), err)
		}
	}
	return r.sweepAutoscalers(ctx, v.canary)
}

// copy renders the primary's autoscaler, and says whether it stands like that.
func (s scalers) copy(c *v1beta1.Canary, floor int32) (want client.Object, same bool) {
	switch {
	case s.hpa != nil:
		want := workload.Autoscaler(c, s.hpa, c.PrimaryName(), floor)
		return want, s.primaryHPA != nil && workload.SameAutoscaler(s.primaryHPA, want)
	case s.scaled != nil:
		want := workload.ScaledObject(c, s.scaled, c.PrimaryName(), floor)
		return want, s.primaryScaled != nil && workload.SameScaledObject(s.primaryScaled, want)
	}
	return nil, false
}

// sweepAutoscalers removes the copies of what spec.autoscalerRef named before: two autoscalers of one
// workload undo each other.
func (r *Reconciler) sweepAutoscalers(ctx context.Context, c *v1beta1.Canary) error {
	var stale []client.Object
	var hpas autoscalingv2.HorizontalPodAutoscalerList
	mine := []client.ListOption{client.InNamespace(c.Namespace), client.MatchingLabels{v1beta1.CanaryLabel: v1beta1.LabelValue(c.Name)}}
	if err := r.client.List(ctx, &hpas, mine...); err != nil {
		return fmt.Errorf("list autoscalers of %s: %w", c.PrimaryName(), err)
	}
	for i := range hpas.Items {
		stale = append(stale, &hpas.Items[i])
	}
	if r.keda.watched() {
		all := &unstructured.UnstructuredList{}
		all.SetGroupVersionKind(workload.BlankScaledObject().GroupVersionKind())
		if err := r.client.List(ctx, all, mine...); err != nil {
			return fmt.Errorf("list ScaledObjects of %s: %w", c.PrimaryName(), err)
		}
		for i := range all.Items {
			stale = append(stale, &all.Items[i])
		}
	}
	for _, o := range stale {
		if _, scaled := o.(*unstructured.Unstructured); isCopy(c, o.GetName(), scaled) || !made(o) {
			continue
		}
		if err := r.client.Delete(ctx, o); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("remove autoscaler %s/%s that spec.autoscalerRef does not name any more: %w", o.GetNamespace(), o.GetName(), err)
		}
	}
	return nil
}

func isCopy(c *v1beta1.Canary, name string, scaled bool) bool {
	ref := c.Spec.AutoscalerRef
	return ref != nil && (ref.Kind == "ScaledObject") == scaled && name == ref.Name+"-"+v1beta1.RolePrimary
}

// pauseScaledObject keeps KEDA from giving pods to the template. It stands before the template goes to
// zero, or KEDA would undo that, and the pause that was there is kept beside it.
func (r *Reconciler) pauseScaledObject(ctx context.Context, v *view, w rollout.World) error {
	so := v.scalers.scaled
	if !w.EmptyTarget || so == nil {
		return nil
	}
	annotations := so.GetAnnotations()
	if annotations[workload.PausedReplicas] == "0" {
		return nil
	}
	marks := map[string]string{workload.PausedReplicas: "0"}
	if _, kept := annotations[v1beta1.OriginalPausedReplicasAnnotation]; !kept {
		marks[v1beta1.OriginalPausedReplicasAnnotation] = annotations[workload.PausedReplicas]
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"resourceVersion": so.GetResourceVersion(), "annotations": marks}})
	if err != nil {
		return fmt.Errorf("encode patch of ScaledObject %s: %w", so.GetName(), err)
	}
	if err := r.client.Patch(ctx, so, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(v1beta1.FieldManager)); err != nil {
		return fmt.Errorf("pause ScaledObject %s/%s: %w", so.GetNamespace(), so.GetName(), err)
	}
	return nil
}

// limit is the most replicas that the target's autoscaler gives; 0 where it sets none.
func (s scalers) limit() int32 {
	if s.hpa != nil {
		return s.hpa.Spec.MaxReplicas
	}
	if s.scaled != nil {
		n, _, _ := unstructured.NestedInt64(s.scaled.Object, "spec", "maxReplicaCount")
		return int32(min(n, math.MaxInt32))
	}
	return 0
}

// paused is true while our pause is on the target's ScaledObject.
func (s scalers) paused() bool {
	if s.scaled == nil {
		return false
	}
	_, ours := s.scaled.GetAnnotations()[v1beta1.OriginalPausedReplicasAnnotation]
	return ours
}

// resumeScaledObject puts the pause back to what it was before the adoption, mostly none.
func (r *Reconciler) resumeScaledObject(ctx context.Context, v *view) error {
	so := v.scalers.scaled
	marks := map[string]any{v1beta1.OriginalPausedReplicasAnnotation: nil, workload.PausedReplicas: nil}
	if before := so.GetAnnotations()[v1beta1.OriginalPausedReplicasAnnotation]; before != "" {
		marks[workload.PausedReplicas] = before
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"resourceVersion": so.GetResourceVersion(), "annotations": marks}})
	if err != nil {
		return fmt.Errorf("encode patch of ScaledObject %s: %w", so.GetName(), err)
	}
	if err := r.client.Patch(ctx, so, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(v1beta1.FieldManager)); err != nil {
		return fmt.Errorf("resume ScaledObject %s/%s: %w", so.GetNamespace(), so.GetName(), err)
	}
	return nil
}

// keda watches ScaledObjects from when the first canary names one: what nobody uses is not cached, and
// need not be installed.
type keda struct {
	mapper meta.RESTMapper
	watch  func(client.Object) error

	mu    sync.Mutex
	found bool
}

// known is false where the API server does not know the kind.
func (k *keda) known() (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.found {
		return true, nil
	}
	so := workload.BlankScaledObject()
	kind := so.GroupVersionKind()
	if _, err := k.mapper.RESTMapping(kind.GroupKind(), kind.Version); meta.IsNoMatchError(err) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("ask the API server for %s: %w", kind.Kind, err)
	}
	if err := k.watch(so); err != nil {
		return false, fmt.Errorf("watch ScaledObjects: %w", err)
	}
	k.found = true
	return true, nil
}

func (k *keda) watched() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.found
}
