package canary

import (
	"context"
	"encoding/json"
	"fmt"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/rollout"
	"github.com/serin-dev/serin/pkg/workload"
	"github.com/serin-dev/serin/router"
)

// converge makes the world follow the committed status. The order is always capacity, then traffic,
// then removal; an error ends the turn, and the next one begins where this one stopped.
func (r *Reconciler) converge(ctx context.Context, v *view, w rollout.World) error {
	steps := []func(context.Context, *view, rollout.World) error{
		r.takeSnapshot, r.keepConfigs, r.keepServices, r.probeTarget, r.keepClones, r.keepAutoscaler, r.keepBudgets, r.fillTarget,
		r.setRoute, r.keepBridge, r.turnApex, r.keepApex, r.returnApex, r.releaseRoute,
		r.pauseScaledObject, r.emptyTarget, r.removeLeftovers,
	}
	if v.canary.Spec.TargetRef.Kind == workload.KindService {
		steps = []func(context.Context, *view, rollout.World) error{
			r.takeServiceSnapshot, r.keepSides, r.leadBack, r.setRoute, r.releaseRoute, r.removeLeftovers,
		}
	}
	for _, step := range steps {
		if err := step(ctx, v, w); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reconciler) takeSnapshot(ctx context.Context, v *view, w rollout.World) error {
	if !w.Snapshot || v.target == nil || v.label.Key == "" || v.blocked || v.Now.Before(v.settles) {
		return nil
	}
	return r.notKept(v, r.revisions.Take(ctx, v.canary, client.ObjectKeyFromObject(v.target.Raw())))
}

func (r *Reconciler) keepClones(ctx context.Context, v *view, w rollout.World) error {
	if err := r.keepClone(ctx, v, v1beta1.RolePrimary, v.primary, w.Primary); err != nil {
		return err
	}
	return r.keepClone(ctx, v, v1beta1.RoleCanary, v.subject, w.Canary)
}

// keepClone creates a clone, or brings its template and replicas to what is wished in one write.
func (r *Reconciler) keepClone(ctx context.Context, v *view, role string, live workload.Object, wish *rollout.Clone) error {
	if wish == nil || v.target == nil || v.label.Key == "" {
		return nil
	}
	if live == nil && wish.Revision == "" {
		wish = &rollout.Clone{Revision: v.canary.Status.LastPromotedSpec, Replicas: wish.Replicas}
	}
	sameTemplate := live != nil && (wish.Revision == "" || live.GetAnnotations()[v1beta1.RevisionAnnotation] == wish.Revision &&
		(wish.RestartedAt == "" || live.Template().Annotations[v1beta1.RestartedAnnotation] == wish.RestartedAt))
	sameSize := live != nil && (wish.Replicas == nil || live.Sized(*wish.Replicas))
	// The label wakes us for the clone: one that an earlier Canary of the target left gets ours.
	ours := live != nil && live.GetLabels()[v1beta1.CanaryLabel] == v1beta1.LabelValue(v.canary.Name)
	if sameTemplate && sameSize && ours {
		return nil
	}
	if live != nil && stampOf(live) > v.canary.Status.Transition {
		return fmt.Errorf("%s %s/%s: %w", live.Kind(), live.GetNamespace(), live.GetName(), router.ErrOvertaken)
	}
	clone := workload.Clone{Canary: v.canary, Target: v.target, Label: v.label, Role: role,
		Revision: wish.Revision, Replicas: 1, Stamp: v.canary.Status.Transition, RestartedAt: wish.RestartedAt}
	switch {
	case wish.Replicas != nil:
		clone.Replicas = *wish.Replicas
	case live != nil:
		clone.Replicas = live.Replicas()
	}
	if !sameTemplate {
		t, err := r.revisions.Rendering(ctx, v.canary.Namespace, wish.Revision)
		if err != nil {
			return err
		}
		clone.Template = t
	}
	if live == nil {
		return r.createClone(ctx, clone)
	}
	return r.patchClone(ctx, clone, live, !sameTemplate, !sameSize)
}

func (r *Reconciler) createClone(ctx context.Context, clone workload.Clone) error {
	u := clone.Object()
	if err := r.client.Create(ctx, u, client.FieldOwner(v1beta1.FieldManager)); err != nil {
		return fmt.Errorf("create %s %s/%s: %w", u.GetKind(), u.GetNamespace(), u.GetName(), err)
	}
	return nil
}

// patchClone leaves everything that others put on the object. The resourceVersion makes a stale
// write a conflict.
func (r *Reconciler) patchClone(ctx context.Context, clone workload.Clone, live workload.Object, template, size bool) error {
	ops := []workload.Change{{Op: "replace", Path: "/metadata/resourceVersion", Value: live.GetResourceVersion()}}
	if live.GetAnnotations() == nil {
		ops = append(ops, workload.Change{Op: "add", Path: "/metadata/annotations", Value: map[string]string{}})
	}
	if live.GetLabels() == nil {
		ops = append(ops, workload.Change{Op: "add", Path: "/metadata/labels", Value: map[string]string{}})
	}
	ops = append(ops,
		workload.Change{Op: "add", Path: "/metadata/labels/serin.dev~1canary", Value: v1beta1.LabelValue(clone.Canary.Name)},
		workload.Change{Op: "add", Path: "/metadata/annotations/serin.dev~1transition", Value: fmt.Sprint(clone.Stamp)})
	if template {
		ops = append(ops, workload.Change{Op: "add", Path: "/metadata/annotations/serin.dev~1revision", Value: clone.Revision})
	}
	patch, err := json.Marshal(append(ops, clone.Changes(live, template, size)...))
	if err != nil {
		return fmt.Errorf("encode patch of %s %s: %w", live.Kind(), live.GetName(), err)
	}
	if err := r.client.Patch(ctx, copyOf(live), client.RawPatch(types.JSONPatchType, patch), client.FieldOwner(v1beta1.FieldManager)); err != nil {
		return fmt.Errorf("patch %s %s/%s: %w", live.Kind(), live.GetNamespace(), live.GetName(), err)
	}
	return nil
}

// setRoute keeps the route's objects and its weights. A route that was just made stands at 100/0
// and is seen with the next turn.
func (r *Reconciler) setRoute(ctx context.Context, v *view, w rollout.World) error {
	if w.Route == nil || v.router == nil {
		return nil
	}
	s := &v.canary.Status
	// One stamp for both: a route that is made anew in mid-run carries it, and takes its weight by it. It
	// is raised even where the weight stands already: an operator that committed an earlier one and was
	// held up must meet it.
	stamp := router.Stamp(s.Transition)
	err := v.router.Ensure(ctx, v.routed, stamp)
	want := router.Traffic{Weights: router.Split(w.Route.CanaryWeight), Rules: v.features.Heed(w.Route.Rules)}
	stands := v.state.Weights == want.Weights && v.state.Rules == want.Rules.Digest()
	if err == nil && v.state.Exists && (!stands || v.state.Stamp < router.Stamp(s.WeightTransition)) {
		err = v.router.Set(ctx, v.routed, want, stamp)
	}
	changed, err := r.refused.note(v.routed.Canary, err)
	if changed {
		r.wakeUp(v.routed.Canary)
	}
	return err
}

// emptyTarget takes the pods of the user's workload away, with the version it was seen at: whoever
// sized it since then is not overruled unseen.
func (r *Reconciler) emptyTarget(ctx context.Context, v *view, w rollout.World) error {
	if !w.EmptyTarget || v.target == nil || v.target.Replicas() == 0 {
		return nil
	}
	if e := v.target.Emptying(); e != nil {
		return r.keepOriginal(ctx, v.target, e.Annotation, e.Original, e.Spec)
	}
	if err := r.keepOriginal(ctx, v.target, v1beta1.OriginalReplicasAnnotation, fmt.Sprint(v.target.Replicas()), nil); err != nil {
		return err
	}
	return r.scaleTarget(ctx, v, 0)
}

// scaleTarget sizes the user's workload through /scale, with the version it was seen at.
func (r *Reconciler) scaleTarget(ctx context.Context, v *view, replicas int32) error {
	key, target := client.ObjectKeyFromObject(v.target.Raw()), v.target.Raw()
	scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: replicas}}
	scale.Namespace, scale.Name, scale.ResourceVersion = key.Namespace, key.Name, target.GetResourceVersion()
	if err := r.client.SubResource("scale").Update(ctx, target, client.WithSubResourceBody(scale), client.FieldOwner(v1beta1.FieldManager)); err != nil {
		return fmt.Errorf("scale %s %s to %d: %w", v.target.Kind(), key, replicas, err)
	}
	target.SetResourceVersion(scale.ResourceVersion)
	r.client.note(target, nil) // or the next turn would see the old size and repair it once more
	return nil
}

// keepOriginal writes what the user's workload had into an annotation, unless one is there already,
// together with a merge patch of the spec.
func (r *Reconciler) keepOriginal(ctx context.Context, target workload.Object, annotation, original string, spec map[string]any) error {
	meta := map[string]any{"resourceVersion": target.GetResourceVersion()}
	_, kept := target.GetAnnotations()[annotation]
	if kept && spec == nil {
		return nil
	}
	if !kept {
		meta["annotations"] = map[string]any{annotation: original}
	}
	body := map[string]any{"metadata": meta}
	if spec != nil {
		body["spec"] = spec
	}
	patch, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode patch of %s %s: %w", target.Kind(), target.GetName(), err)
	}
	if err := r.client.Patch(ctx, target.Raw(), client.RawPatch(types.MergePatchType, patch), client.FieldOwner(v1beta1.FieldManager)); err != nil {
		return fmt.Errorf("empty %s %s/%s: %w", target.Kind(), target.GetNamespace(), target.GetName(), err)
	}
	return nil
}
