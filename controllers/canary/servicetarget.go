package canary

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/rollout"
	"github.com/serin-dev/serin/pkg/workload"
	"github.com/serin-dev/serin/router"
)

// A Service target makes no pods. What it leads to is rolled out: the Service of the primary leads
// where the promoted revision did, that of the canary where the Service leads now, and the route
// shares requests between them. The Service itself is left as it is: whoever calls it past the
// gateway is where it leads at once.

func (r *Reconciler) seeServiceTarget(ctx context.Context, v *view) error {
	c := v.canary
	ref := c.Spec.TargetRef
	if ref.APIVersion != "v1" && ref.APIVersion != "core/v1" {
		v.problem("UnsupportedTarget", "a %s of %s is not supported yet: name a Service of v1, a Deployment or a DaemonSet in spec.targetRef", ref.Kind, ref.APIVersion)
		return nil
	}
	svc, err := get[corev1.Service](ctx, r.client, c.Namespace, ref.Name)
	if err != nil {
		return err
	}
	if svc == nil {
		v.problem("TargetMissing", "Service %s/%s does not exist: create it, or correct spec.targetRef", c.Namespace, ref.Name)
		return nil
	}
	if c.ApexName() != ref.Name {
		v.problem("ApexRefused", "spec.service.name is %s, but a Service target is the Service that the route is named after: remove it", c.ApexName())
		return nil
	}
	for _, why := range workload.ServiceRefusals(svc) {
		v.problem("TargetRefused", "Service %s/%s cannot lead to two revisions: %s", svc.Namespace, svc.Name, why)
	}
	if missing := (workload.Services{Canary: c, Apex: svc}).MissingPort(); missing != "" {
		v.problem("ServicePortMissing", "%s", missing)
	}
	v.service, v.Target.Exists = svc, svc.DeletionTimestamp.IsZero()
	v.Apex = rollout.Apex{Exists: true, ToPrimary: true, ToTarget: true} // nothing of it is turned
	known, ok, err := r.revisions.LookupService(ctx, c, svc)
	if ok {
		v.Target.Revision = known
	}
	return err
}

// seeSides reads the Services of the two sides.
func (r *Reconciler) seeSides(ctx context.Context, v *view) error {
	c := v.canary
	var err error
	if v.primarySvc, err = get[corev1.Service](ctx, r.client, c.Namespace, c.PrimaryServiceName()); err != nil {
		return err
	}
	if v.canSvc, err = get[corev1.Service](ctx, r.client, c.Namespace, c.CanaryServiceName()); err != nil {
		return err
	}
	if v.Primary, err = r.side(ctx, v, v.primarySvc); err != nil {
		return err
	}
	v.Canary, err = r.side(ctx, v, v.canSvc)
	return err
}

// side takes the addresses that a Service leads to for its pods: others say how many there are.
func (r *Reconciler) side(ctx context.Context, v *view, svc *corev1.Service) (rollout.Workload, error) {
	if svc == nil {
		return rollout.Workload{}, nil
	}
	v.HighestStamp = max(v.HighestStamp, stampOf(svc))
	w := rollout.Workload{Exists: true, Ours: svc.Labels[v1beta1.CanaryLabel] == v1beta1.LabelValue(v.canary.Name),
		Revision: svc.Annotations[v1beta1.RevisionAnnotation],
		Images:   []string{workload.Destination(svc)}, Given: true, Synced: true}
	if !workload.ServiceOn(svc) {
		return w, nil
	}
	ready, all := int32(1), int32(1) // a name elsewhere has no addresses here
	if svc.Spec.Type != corev1.ServiceTypeExternalName {
		var err error
		if ready, all, err = r.addresses(ctx, svc, w.Revision); err != nil {
			return w, err
		}
	}
	w.Replicas, w.Pods, w.Updated, w.Available, w.Endpoints = max(all, 1), all, all, ready, ready
	if all == 0 {
		w.Trouble = "no pod is selected by " + workload.Destination(svc)
	}
	return w, nil
}

// addresses counts the ready addresses of a Service and all of them, in the slices that were made since
// it leads where the revision does: the cluster copies the Service's labels to them.
func (r *Reconciler) addresses(ctx context.Context, svc *corev1.Service, rev string) (ready, all int32, err error) {
	var l discoveryv1.EndpointSliceList
	if err := r.client.List(ctx, &l, client.InNamespace(svc.Namespace), client.MatchingLabels{
		discoveryv1.LabelServiceName: svc.Name, v1beta1.RevisionLabel: v1beta1.LabelValue(rev)}); err != nil {
		return 0, 0, fmt.Errorf("list endpoints of Service %s/%s: %w", svc.Namespace, svc.Name, err)
	}
	ready, all = count(l.Items)
	return ready, all, nil
}

// count counts the ready addresses in slices and all of them, but for those that go.
func count(in []discoveryv1.EndpointSlice) (ready, all int32) {
	pods := map[types.UID]bool{} // a dual-stack Service lists each pod once a family
	for i := range in {
		for _, e := range in[i].Endpoints {
			if e.TargetRef != nil && !ptr.Deref(e.Conditions.Terminating, false) {
				pods[e.TargetRef.UID] = ptr.Deref(e.Conditions.Ready, true)
			}
		}
	}
	for _, up := range pods {
		all++
		if up {
			ready++
		}
	}
	return ready, all
}

// seeServiceRelease looks at what only the release of a Service target asks for: the target's own
// slices, which no cache has.
func (r *Reconciler) seeServiceRelease(ctx context.Context, v *view) error {
	c := v.canary
	v.Release = releaseAsked(c)
	if c.Status.Phase == v1beta1.PhaseTerminated {
		return nil
	}
	if rel := c.Status.Release; rel != nil {
		r.seeHandback(v, rel)
		if rel.Step == v1beta1.StepRemoving {
			return r.seeLeftovers(ctx, v)
		}
	}
	if v.service == nil {
		return nil
	}
	if name := v.Target.Revision.Name; name != "" && name != c.Status.LastPromotedSpec {
		v.Target.Keeper = v1beta1.Keeper(v.service.Labels, v.service.Annotations)
		if w := r.writer(ctx, v.service.DeepCopy(), "spec.selector"); v.Target.Keeper == "" && gitops[w] {
			v.Target.Keeper = w
		}
	}
	ready, all := int32(1), int32(1)
	if v.service.Spec.Type != corev1.ServiceTypeExternalName {
		var l discoveryv1.EndpointSliceList
		if err := r.live.List(ctx, &l, client.InNamespace(c.Namespace), client.MatchingLabels{discoveryv1.LabelServiceName: v.service.Name}); err != nil {
			return fmt.Errorf("list endpoints of Service %s/%s: %w", c.Namespace, v.service.Name, err)
		}
		ready, all = count(slices.DeleteFunc(l.Items, func(s discoveryv1.EndpointSlice) bool { return s.Labels[discoveryv1.LabelManagedBy] == bridgeManager }))
	}
	v.Target.Pods = rollout.Workload{Exists: true, Revision: v.Target.Revision.Name, Given: true, Synced: true,
		Replicas: max(all, 1), Pods: all, Updated: all, Available: ready, Endpoints: ready}
	return nil
}

// leadBack leads a released Service where the promoted revision does, with the primary's addresses in
// it until its own slices have them.
func (r *Reconciler) leadBack(ctx context.Context, v *view, w rollout.World) error {
	if w.Release == nil || w.Release.Template == "" || v.service == nil {
		return nil
	}
	fields, err := r.revisions.ServiceFields(ctx, v.canary.Namespace, w.Release.Template)
	if err != nil {
		return err
	}
	if err := r.hold(ctx, v.canary, v.canary.PrimaryServiceName(), v.service.Name); err != nil {
		return err
	}
	patch, err := json.Marshal(append([]workload.Change{{Op: "replace", Path: "/metadata/resourceVersion", Value: v.service.ResourceVersion}},
		workload.ServiceChanges(v.service, fields)...))
	if err != nil {
		return fmt.Errorf("encode patch of Service %s: %w", v.service.Name, err)
	}
	if err := r.client.Patch(ctx, v.service.DeepCopy(), client.RawPatch(types.JSONPatchType, patch), client.FieldOwner(v1beta1.FieldManager)); err != nil {
		return fmt.Errorf("lead Service %s/%s back to what is promoted: %w", v.service.Namespace, v.service.Name, err)
	}
	return nil
}

func (r *Reconciler) takeServiceSnapshot(ctx context.Context, v *view, w rollout.World) error {
	if !w.Snapshot || v.service == nil || len(v.Problems) > 0 {
		return nil
	}
	return r.revisions.Take(ctx, v.canary, client.ObjectKeyFromObject(v.service))
}

// keepSides keeps the Services of the two sides at their revisions.
func (r *Reconciler) keepSides(ctx context.Context, v *view, w rollout.World) error {
	if v.service == nil {
		return nil
	}
	if err := r.keepSide(ctx, v, v1beta1.RolePrimary, v.primarySvc, w.Primary); err != nil {
		return err
	}
	return r.keepSide(ctx, v, v1beta1.RoleCanary, v.canSvc, w.Canary)
}

func (r *Reconciler) keepSide(ctx context.Context, v *view, role string, live *corev1.Service, wish *rollout.Clone) error {
	if wish == nil {
		return nil
	}
	clone := workload.ServiceClone{Canary: v.canary, Target: v.service, Role: role, Revision: wish.Revision,
		On: wish.Replicas == nil || *wish.Replicas > 0, Stamp: v.canary.Status.Transition}
	if clone.Revision == "" {
		clone.Revision = v.canary.Status.LastPromotedSpec
		if live != nil && live.Annotations[v1beta1.RevisionAnnotation] != "" {
			clone.Revision = live.Annotations[v1beta1.RevisionAnnotation]
		}
	}
	fields, err := r.revisions.ServiceFields(ctx, v.canary.Namespace, clone.Revision)
	if err != nil {
		return err
	}
	clone.Fields = fields
	switch {
	case live == nil:
		u := clone.Object()
		if err := r.client.Create(ctx, u, client.FieldOwner(v1beta1.FieldManager)); err != nil {
			return fmt.Errorf("create Service %s/%s: %w", u.GetNamespace(), u.GetName(), err)
		}
		return nil
	case clone.Same(live):
		if role == v1beta1.RolePrimary && v.Primary.Endpoints > 0 {
			return r.removeBridge(ctx, v.canary, live.Name)
		}
		return nil
	case stampOf(live) > v.canary.Status.Transition:
		return fmt.Errorf("Service %s/%s: %w", live.Namespace, live.Name, router.ErrOvertaken)
	case role == v1beta1.RolePrimary:
		// Where it led goes on answering until its own slices have what it leads to now.
		if err := r.hold(ctx, v.canary, live.Name, live.Name); err != nil {
			return err
		}
	}
	return r.turnSide(ctx, clone, live)
}

// turnSide leads the Service of a side elsewhere. The resourceVersion makes a stale write a conflict.
func (r *Reconciler) turnSide(ctx context.Context, clone workload.ServiceClone, live *corev1.Service) error {
	patch, err := json.Marshal(clone.Changes(live))
	if err != nil {
		return fmt.Errorf("encode patch of Service %s: %w", live.Name, err)
	}
	if err := r.client.Patch(ctx, live.DeepCopy(), client.RawPatch(types.JSONPatchType, patch), client.FieldOwner(v1beta1.FieldManager)); err != nil {
		return fmt.Errorf("turn Service %s/%s to revision %s: %w", live.Namespace, live.Name, clone.Revision, err)
	}
	return nil
}
