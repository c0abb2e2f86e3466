package canary

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/rollout"
	"github.com/serin-dev/serin/pkg/workload"
)

func (r *Reconciler) seeServices(ctx context.Context, v *view) error {
	c := v.canary
	apex, err := get[corev1.Service](ctx, r.client, c.Namespace, c.ApexName())
	if err != nil {
		return err
	}
	v.services = workload.Services{Canary: c, Target: v.target, Label: v.label, Apex: apex}
	if v.primarySvc, err = get[corev1.Service](ctx, r.client, c.Namespace, c.PrimaryServiceName()); err != nil {
		return err
	}
	if v.canSvc, err = get[corev1.Service](ctx, r.client, c.Namespace, c.CanaryServiceName()); err != nil {
		return err
	}
	if v.primarySvc != nil && v.label.Key != "" && !workload.KeepAddress(v.primarySvc, v.services.Role(v1beta1.RolePrimary)) {
		v.warning("HeadlessKept", "Services %s and %s stay as they were made: that a Service is headless cannot change. Delete and recreate the Canary's Services while nothing uses them, or set spec.service.headless back",
			c.PrimaryServiceName(), c.CanaryServiceName())
	}
	if apex != nil && v.label.Key != "" {
		v.Apex = rollout.Apex{Exists: true, ToPrimary: equality.Semantic.DeepEqual(apex.Spec.Selector, v.services.ApexSelector())}
		if !v.Apex.ToPrimary && v.keeps() {
			v.Apex.Writer = r.writer(ctx, apex.DeepCopy(), "spec.selector")
		}
		if apex.Spec.Type == corev1.ServiceTypeExternalName {
			v.problem("ApexRefused", "Service %s/%s is of type ExternalName and has no pods: name another in spec.service.name", c.Namespace, apex.Name)
		} else if missing := v.services.MissingPort(); missing != "" {
			v.problem("ServicePortMissing", "%s", missing)
		}
	}
	return nil
}

// keepServices keeps the Services of the two sides.
func (r *Reconciler) keepServices(ctx context.Context, v *view, w rollout.World) error {
	if w.Primary == nil || v.target == nil || v.label.Key == "" {
		return nil
	}
	for role, live := range map[string]*corev1.Service{v1beta1.RolePrimary: v.primarySvc, v1beta1.RoleCanary: v.canSvc} {
		want := v.services.Role(role)
		if live != nil {
			workload.KeepAddress(live, want)
		}
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

// turnApex turns the apex Service to the primary's pods, and keeps what it selected before beside it.
func (r *Reconciler) turnApex(ctx context.Context, v *view, w rollout.World) error {
	apex := v.services.Apex
	if !w.ApexToPrimary || v.label.Key == "" || v.Apex.ToPrimary || apex == nil && v.target == nil {
		return nil
	}
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

// keepApex keeps ports and metadata of an apex Service that Serin made. A user's keeps its own.
func (r *Reconciler) keepApex(ctx context.Context, v *view, w rollout.World) error {
	if !w.ApexToPrimary || v.target == nil || v.label.Key == "" || !v.services.OwnApex() {
		return nil
	}
	live, want := v.services.Apex, v.services.NewApex()
	want.Spec.Selector = live.Spec.Selector // turnApex's
	if workload.SameService(live, want) {
		return nil
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": live.ResourceVersion, "labels": want.Labels, "annotations": want.Annotations},
		"spec":     map[string]any{"ports": want.Spec.Ports, "trafficDistribution": want.Spec.TrafficDistribution},
	})
	if err != nil {
		return fmt.Errorf("encode patch of Service %s: %w", live.Name, err)
	}
	if err := r.client.Patch(ctx, live.DeepCopy(), client.RawPatch(types.MergePatchType, patch), client.FieldOwner(v1beta1.FieldManager)); err != nil {
		return fmt.Errorf("patch Service %s/%s: %w", live.Namespace, live.Name, err)
	}
	return nil
}
