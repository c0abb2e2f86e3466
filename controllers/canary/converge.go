package canary

import (
	"context"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
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
		r.takeSnapshot, r.keepConfigs, r.keepServices, r.keepClones, r.keepAutoscaler, r.setRoute, r.keepBridge, r.turnApex, r.emptyTarget,
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
	return r.notKept(v, r.revisions.Take(ctx, v.canary, client.ObjectKeyFromObject(v.target)))
}

// keepServices keeps the Services of the two sides.
func (r *Reconciler) keepServices(ctx context.Context, v *view, w rollout.World) error {
	if w.Primary == nil || v.target == nil || v.label.Key == "" {
		return nil
	}
	for role, live := range map[string]*corev1.Service{v1beta1.RolePrimary: v.primarySvc, v1beta1.RoleCanary: v.canSvc} {
		want := v.services.Role(role)
		if live != nil && workload.SameService(live, want) {
			continue
		}
		if live != nil && live.Labels[v1beta1.CanaryLabel] == "" {
			ctxlog(ctx).Info("taking over a Service of the same name", "service", live.Name)
		}
		if err := r.client.Patch(ctx, want, client.Apply, client.FieldOwner(v1beta1.FieldManager), client.ForceOwnership); err != nil { //nolint:staticcheck // the typed apply configurations have no Service of ours to start from
			return fmt.Errorf("apply Service %s/%s: %w", want.Namespace, want.Name, err)
		}
	}
	return nil
}

func (r *Reconciler) keepClones(ctx context.Context, v *view, w rollout.World) error {
	if err := r.keepClone(ctx, v, v1beta1.RolePrimary, v.primary, w.Primary); err != nil {
		return err
	}
	return r.keepClone(ctx, v, v1beta1.RoleCanary, v.subject, w.Canary)
}

// keepClone creates a clone, or brings its template and replicas to what is wished in one write.
func (r *Reconciler) keepClone(ctx context.Context, v *view, role string, live *appsv1.Deployment, wish *rollout.Clone) error {
	if wish == nil || v.target == nil || v.label.Key == "" {
		return nil
	}
	if live == nil && wish.Revision == "" {
		wish = &rollout.Clone{Revision: v.canary.Status.LastPromotedSpec, Replicas: wish.Replicas}
	}
	sameTemplate := live != nil && (wish.Revision == "" || live.Annotations[v1beta1.RevisionAnnotation] == wish.Revision)
	sameSize := live != nil && (wish.Replicas == nil || workload.Replicas(live) == *wish.Replicas)
	// The label wakes us for the clone: one that an earlier Canary of the target left gets ours.
	ours := live != nil && live.Labels[v1beta1.CanaryLabel] == v1beta1.LabelValue(v.canary.Name)
	if sameTemplate && sameSize && ours {
		return nil
	}
	if live != nil && stampOf(live) > v.canary.Status.Transition {
		return fmt.Errorf("Deployment %s/%s: %w", live.Namespace, live.Name, router.ErrOvertaken)
	}
	clone := workload.Clone{Canary: v.canary, Target: v.target, Label: v.label, Role: role,
		Revision: wish.Revision, Stamp: v.canary.Status.Transition}
	if !sameTemplate {
		t, err := r.revisions.Rendering(ctx, v.canary.Namespace, wish.Revision)
		if err != nil {
			return err
		}
		clone.Template = t
	}
	if live == nil {
		return r.createClone(ctx, clone, wish)
	}
	return r.patchClone(ctx, clone, live, wish, sameTemplate, sameSize)
}

func (r *Reconciler) createClone(ctx context.Context, clone workload.Clone, wish *rollout.Clone) error {
	clone.Replicas = 1
	if wish.Replicas != nil {
		clone.Replicas = *wish.Replicas
	}
	u := clone.Deployment()
	if err := r.client.Create(ctx, u, client.FieldOwner(v1beta1.FieldManager)); err != nil {
		return fmt.Errorf("create Deployment %s/%s: %w", u.GetNamespace(), u.GetName(), err)
	}
	return nil
}

// patchClone replaces the template whole, so that a field that a revision dropped is dropped, and
// leaves everything that others put on the object. The resourceVersion makes a
// stale write a conflict.
func (r *Reconciler) patchClone(ctx context.Context, clone workload.Clone, live *appsv1.Deployment, wish *rollout.Clone, sameTemplate, sameSize bool) error {
	type op struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value"`
	}
	ops := []op{{"replace", "/metadata/resourceVersion", live.ResourceVersion}}
	if live.Annotations == nil {
		ops = append(ops, op{"add", "/metadata/annotations", map[string]string{}})
	}
	if live.Labels == nil {
		ops = append(ops, op{"add", "/metadata/labels", map[string]string{}})
	}
	ops = append(ops,
		op{"add", "/metadata/labels/serin.dev~1canary", v1beta1.LabelValue(clone.Canary.Name)},
		op{"add", "/metadata/annotations/serin.dev~1transition", fmt.Sprint(clone.Stamp)})
	if !sameTemplate {
		ops = append(ops,
			op{"add", "/metadata/annotations/serin.dev~1revision", clone.Revision},
			op{"replace", "/spec/template", clone.PodTemplate()},
			op{"replace", "/spec/strategy", clone.Strategy()})
	}
	if !sameSize {
		ops = append(ops, op{"replace", "/spec/replicas", *wish.Replicas})
	}
	patch, err := json.Marshal(ops)
	if err != nil {
		return fmt.Errorf("encode patch of Deployment %s: %w", live.Name, err)
	}
	if err := r.client.Patch(ctx, live.DeepCopy(), client.RawPatch(types.JSONPatchType, patch), client.FieldOwner(v1beta1.FieldManager)); err != nil {
		return fmt.Errorf("patch Deployment %s/%s: %w", live.Namespace, live.Name, err)
	}
	return nil
}

func (r *Reconciler) keepAutoscaler(ctx context.Context, v *view, w rollout.World) error {
	if w.Primary == nil || v.scaler == nil || v.target == nil {
		return nil
	}
	want := workload.Autoscaler(v.canary, v.scaler, v.canary.PrimaryName(), w.Primary.Floor)
	if v.primaryHPA != nil && workload.SameAutoscaler(v.primaryHPA, want) {
		return nil
	}
	if err := r.client.Patch(ctx, want, client.Apply, client.FieldOwner(v1beta1.FieldManager), client.ForceOwnership); err != nil { //nolint:staticcheck // see keepServices
		return fmt.Errorf("apply HorizontalPodAutoscaler %s/%s: %w", want.Namespace, want.Name, err)
	}
	return nil
}

// turnApex turns the apex Service to the primary's pods, and keeps what it selected before beside it.
func (r *Reconciler) turnApex(ctx context.Context, v *view, w rollout.World) error {
	if !w.ApexToPrimary || v.target == nil || v.label.Key == "" || v.Apex.ToPrimary {
		return nil
	}
	apex := v.services.Apex
	if apex == nil {
		svc := v.services.NewApex()
		if err := r.client.Create(ctx, svc, client.FieldOwner(v1beta1.FieldManager)); err != nil {
			return fmt.Errorf("create Service %s/%s: %w", svc.Namespace, svc.Name, err)
		}
		return nil
	}
	original, err := json.Marshal(apex.Spec.Selector)
	if err != nil {
		return fmt.Errorf("encode selector of Service %s: %w", apex.Name, err)
	}
	annotations := map[string]string{}
	if _, ok := apex.Annotations[v1beta1.OriginalSelectorAnnotation]; !ok {
		annotations[v1beta1.OriginalSelectorAnnotation] = string(original)
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": apex.ResourceVersion, "annotations": annotations},
		"spec":     map[string]any{"selector": v.services.ApexSelector()},
	})
	if err != nil {
		return fmt.Errorf("encode patch of Service %s: %w", apex.Name, err)
	}
	if err := r.client.Patch(ctx, apex.DeepCopy(), client.RawPatch(types.MergePatchType, patch), client.FieldOwner(v1beta1.FieldManager)); err != nil {
		return fmt.Errorf("turn Service %s/%s to the primary: %w", apex.Namespace, apex.Name, err)
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
	err := v.router.Ensure(ctx, v.routed, router.Stamp(s.Transition))
	// The stamp is that of the commit that set the weight. It is raised even where the weight stands
	// already: an operator that committed an earlier one and was held up must meet it.
	stamp := router.Stamp(s.WeightTransition)
	if stamp == 0 {
		stamp = router.Stamp(s.Transition)
	}
	want := router.Traffic{Weights: router.Split(w.Route.CanaryWeight), Rules: w.Route.Rules}
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

// emptyTarget scales the user's workload to zero through /scale, with the version it was seen at:
// whoever scaled it since then is not overruled unseen.
func (r *Reconciler) emptyTarget(ctx context.Context, v *view, w rollout.World) error {
	if !w.EmptyTarget || v.target == nil || workload.Replicas(v.target) == 0 {
		return nil
	}
	key := client.ObjectKeyFromObject(v.target)
	if _, ok := v.target.Annotations[v1beta1.OriginalReplicasAnnotation]; !ok {
		patch := fmt.Appendf(nil, `{"metadata":{"resourceVersion":%q,"annotations":{%q:"%d"}}}`,
			v.target.ResourceVersion, v1beta1.OriginalReplicasAnnotation, workload.Replicas(v.target))
		if err := r.client.Patch(ctx, v.target, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(v1beta1.FieldManager)); err != nil {
			return fmt.Errorf("keep the replicas of Deployment %s: %w", key, err)
		}
	}
	scale := &autoscalingv1.Scale{}
	scale.Namespace, scale.Name, scale.ResourceVersion = key.Namespace, key.Name, v.target.ResourceVersion
	if err := r.client.SubResource("scale").Update(ctx, v.target, client.WithSubResourceBody(scale), client.FieldOwner(v1beta1.FieldManager)); err != nil {
		return fmt.Errorf("scale Deployment %s to zero: %w", key, err)
	}
	v.target.ResourceVersion = scale.ResourceVersion
	r.client.note(v.target, nil) // or the next turn would see the old size and repair it once more
	return nil
}
