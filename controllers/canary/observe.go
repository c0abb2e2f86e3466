package canary

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/revision"
	"github.com/serin-dev/serin/pkg/rollout"
	"github.com/serin-dev/serin/pkg/workload"
	"github.com/serin-dev/serin/router"
)

// view is what one turn saw: the objects, and what they mean for the plan. An object that does not
// exist is nil.
type view struct {
	rollout.Observed
	canary             *v1beta1.Canary
	target             *appsv1.Deployment
	label              workload.SelectorLabel
	primary, subject   *appsv1.Deployment
	services           workload.Services
	primarySvc, canSvc *corev1.Service
	scaler, primaryHPA *autoscalingv2.HorizontalPodAutoscaler
	router             router.Router
	routed             router.Target
	state              router.State
}

// observe reads everything from the cache. What the user must mend becomes a Problem; an error is
// only what asking again may cure.
func (r *Reconciler) observe(ctx context.Context, c *v1beta1.Canary) (*view, error) {
	v := &view{canary: c}
	v.Now, v.Object = r.Now(), c
	for _, see := range []func(context.Context, *view) error{
		r.seeTarget, r.seeServices, r.seeSiblings, r.seeClones, r.seeAutoscaler, r.seeRoute, r.seeSpec, r.seeCommand, r.seeQueue,
	} {
		if err := see(ctx, v); err != nil {
			return nil, err
		}
	}
	v.Answers = r.asker.answers(c)
	return v, nil
}

func (v *view) problem(reason, format string, args ...any) {
	v.Problems = append(v.Problems, rollout.Problem{Reason: reason, Message: fmt.Sprintf(format, args...)})
}

func (v *view) warning(reason, format string, args ...any) {
	v.Warnings = append(v.Warnings, rollout.Problem{Reason: reason, Message: fmt.Sprintf(format, args...)})
}

func (r *Reconciler) seeTarget(ctx context.Context, v *view) error {
	ref := v.canary.Spec.TargetRef
	if ref.Kind != "Deployment" {
		v.problem("UnsupportedTarget", "targets of kind %s are not supported yet: name a Deployment in spec.targetRef", ref.Kind)
		return nil
	}
	d, err := get[appsv1.Deployment](ctx, r.client, v.canary.Namespace, ref.Name)
	if err != nil {
		return err
	}
	if d == nil {
		v.problem("TargetMissing", "Deployment %s/%s does not exist: create it, or correct spec.targetRef", v.canary.Namespace, ref.Name)
		return nil
	}
	v.target = d
	v.Target.Replicas = workload.Replicas(d)
	if v.canary.Spec.AutoscalerRef != nil {
		v.Target.Autoscaled = true
	}
	label, ok := workload.FindSelectorLabel(d, r.SelectorLabels)
	if !ok {
		v.problem("SelectorLabelMissing", "Deployment %s/%s selects its pods by none of the labels %v: add one of them to spec.selector.matchLabels and the template, or start the operator with --selector-labels",
			d.Namespace, d.Name, r.SelectorLabels)
		return nil
	}
	v.label = label
	for _, why := range workload.Refusals(d) {
		v.problem("TargetRefused", "Deployment %s/%s cannot have two revisions side by side: %s", d.Namespace, d.Name, why)
	}
	known, ok, err := r.revisions.Lookup(ctx, v.canary, d)
	if err != nil {
		return err
	}
	if ok {
		v.Target.Revision = known
	}
	if v.Target.Replicas > 0 && v.canary.Status.Initialization == nil && v.canary.Status.Promoted != nil {
		v.Target.Writer = r.writer(ctx, d.DeepCopy(), `"f:replicas"`)
	}
	return nil
}

// writer is the field manager that last set a field, as managedFields spell it. It is read live: the
// cache keeps no managed fields, and this is asked only when somebody wrote what Serin keeps.
func (r *Reconciler) writer(ctx context.Context, live client.Object, field string) string {
	if err := r.live.Get(ctx, client.ObjectKeyFromObject(live), live); err != nil {
		return ""
	}
	last := metav1.ManagedFieldsEntry{}
	for _, m := range live.GetManagedFields() {
		if m.Subresource == "status" || m.Manager == v1beta1.FieldManager || m.FieldsV1 == nil || !bytes.Contains(m.FieldsV1.GetRawBytes(), []byte(field)) {
			continue
		}
		if last.Time == nil || m.Time != nil && !m.Time.Before(last.Time) {
			last = m
		}
	}
	return last.Manager
}

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
	if apex != nil && v.label.Key != "" {
		v.Apex = rollout.Apex{Exists: true, ToPrimary: equality.Semantic.DeepEqual(apex.Spec.Selector, v.services.ApexSelector())}
		if !v.Apex.ToPrimary && v.canary.Status.Promoted != nil && v.canary.Status.Initialization == nil {
			v.Apex.Writer = r.writer(ctx, apex.DeepCopy(), `"f:selector"`)
		}
		if apex.Spec.Type == corev1.ServiceTypeExternalName {
			v.problem("ApexRefused", "Service %s/%s is of type ExternalName and has no pods: name another in spec.service.name", c.Namespace, apex.Name)
		} else if missing := v.services.MissingPort(); missing != "" {
			v.problem("ServicePortMissing", "%s", missing)
		}
	}
	return nil
}

func (r *Reconciler) seeClones(ctx context.Context, v *view) error {
	c := v.canary
	var err error
	if v.primary, err = get[appsv1.Deployment](ctx, r.client, c.Namespace, c.PrimaryName()); err != nil {
		return err
	}
	if v.subject, err = get[appsv1.Deployment](ctx, r.client, c.Namespace, c.CanaryName()); err != nil {
		return err
	}
	if v.Primary, err = r.workload(ctx, v, v.primary, c.PrimaryServiceName()); err != nil {
		return err
	}
	v.Canary, err = r.workload(ctx, v, v.subject, c.CanaryServiceName())
	return err
}

func (r *Reconciler) workload(ctx context.Context, v *view, d *appsv1.Deployment, service string) (rollout.Workload, error) {
	if d == nil {
		return rollout.Workload{}, nil
	}
	v.HighestStamp = max(v.HighestStamp, stampOf(d))
	w := rollout.Workload{
		Exists: true, Revision: d.Annotations[v1beta1.RevisionAnnotation], Images: revision.Images(&d.Spec.Template),
		Replicas: workload.Replicas(d), Pods: d.Status.Replicas, Updated: d.Status.UpdatedReplicas,
		Available: d.Status.AvailableReplicas, Synced: d.Status.ObservedGeneration >= d.Generation,
		Trouble: workload.Trouble(d),
	}
	if w.Revision == "" || w.Replicas == 0 {
		return w, nil
	}
	var err error
	w.Endpoints, err = r.endpoints(ctx, d.Namespace, service, w.Revision)
	return w, err
}

func (r *Reconciler) seeAutoscaler(ctx context.Context, v *view) error {
	ref := v.canary.Spec.AutoscalerRef
	if ref == nil {
		return nil
	}
	if ref.Kind != "HorizontalPodAutoscaler" {
		v.problem("UnsupportedAutoscaler", "autoscalers of kind %s are not supported yet: name a HorizontalPodAutoscaler in spec.autoscalerRef", ref.Kind)
		return nil
	}
	var err error
	if v.scaler, err = get[autoscalingv2.HorizontalPodAutoscaler](ctx, r.client, v.canary.Namespace, ref.Name); err != nil {
		return err
	}
	if v.scaler == nil {
		v.problem("AutoscalerMissing", "HorizontalPodAutoscaler %s/%s does not exist: create it, or correct spec.autoscalerRef", v.canary.Namespace, ref.Name)
		return nil
	}
	v.primaryHPA, err = get[autoscalingv2.HorizontalPodAutoscaler](ctx, r.client, v.canary.Namespace, ref.Name+"-"+v1beta1.RolePrimary)
	return err
}

func (r *Reconciler) seeRoute(ctx context.Context, v *view) error {
	c := v.canary
	v.routed = RouteTarget(c)
	rt, err := r.routers.get(r.provider(c))
	if err == nil {
		v.router = rt
		v.state, err = rt.Get(ctx, v.routed)
	}
	if missing, ok := errors.AsType[*router.NotReady](err); ok {
		v.problem(missing.Problem.Reason, "%s", missing.Problem.Message)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the route: %w", err)
	}
	if refusal, ok := r.refused.of(v.routed.Canary); ok {
		v.state.Problems = append(v.state.Problems, refusal)
	}
	v.HighestStamp = max(v.HighestStamp, int64(v.state.Stamp))
	v.Route = routeFacts(v.state)
	v.Route.Weighted = v.router.Features().Weights
	for _, p := range v.state.Problems {
		if p.Warning {
			v.warning(p.Reason, "%s", p.Message)
		}
	}
	return nil
}

// RouteTarget is what a router is told of a Canary.
func RouteTarget(c *v1beta1.Canary) router.Target {
	t := router.Target{
		Canary: client.ObjectKeyFromObject(c), Apex: c.ApexName(), PrimaryService: c.PrimaryServiceName(),
		CanaryService: c.CanaryServiceName(), Port: c.Spec.Service.Port, Upstream: c.Spec.UpstreamRef,
	}
	if c.Spec.Service.Apex != nil {
		t.Metadata = *c.Spec.Service.Apex
	}
	return t
}

func routeFacts(s router.State) rollout.Route {
	f := rollout.Route{Exists: s.Exists, CanaryWeight: s.Weights.Canary, Rules: s.Rules, Stamp: int64(s.Stamp),
		Confirmed: s.Verdict == router.InForce}
	if s.Weights.Primary+s.Weights.Canary != v1beta1.FullWeight {
		f.CanaryWeight = -1 // somebody's edit: no weight of ours stands
	}
	if s.Verdict == router.Rejected {
		f.Rejected = s.Message
	}
	for _, p := range s.Problems {
		if !p.Warning && f.Problem == nil {
			f.Problem = &rollout.Problem{Reason: p.Reason, Message: p.Message}
		}
	}
	return f
}

func (r *Reconciler) provider(c *v1beta1.Canary) string {
	if c.Spec.Provider != "" {
		return c.Spec.Provider
	}
	return r.Provider
}

// object is a pointer to a Kubernetes type.
type object[T any] interface {
	*T
	client.Object
}

// get reads an object; a missing one is nil.
func get[T any, P object[T]](ctx context.Context, c client.Reader, namespace, name string) (P, error) {
	obj := P(new(T))
	err := c.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, obj)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %T %s/%s: %w", obj, namespace, name, err)
	}
	return obj, nil
}

// stampOf is the transition that an object was last written for; 0 when it was not.
func stampOf(o client.Object) int64 {
	n, err := strconv.ParseInt(o.GetAnnotations()[v1beta1.TransitionAnnotation], 10, 64)
	if err != nil {
		return 0
	}
	return n
}
