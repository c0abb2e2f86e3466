package canary

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
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
	target             workload.Object
	service            *corev1.Service // the target, where it is one
	label              workload.SelectorLabel
	primary, subject   workload.Object
	services           workload.Services
	primarySvc, canSvc *corev1.Service
	scalers            scalers
	router             router.Router
	routed             router.Target
	state              router.State
	// retryAt is when a router that asked for time is asked again; zero for never.
	retryAt time.Time
	// leftovers of a release, found in its last step.
	leftovers []leftover
	// features of the router, or of the proxy behind this very route where that is known to do less.
	features router.Features

	// blocked keeps the snapshot from being taken.
	blocked bool
	// settles is when a change of contents has settled; tracked are those of the present revision,
	// nil while it is not known; lost are copies to make anew.
	settles time.Time
	tracked map[string]string
	lost    []revision.Lost
}

// observe reads everything from the cache. What the user must mend becomes a Problem; an error is
// only what asking again may cure.
func (r *Reconciler) observe(ctx context.Context, c *v1beta1.Canary) (*view, error) {
	v := &view{canary: c}
	v.Now, v.Object = r.Now(), c
	sights := []func(context.Context, *view) error{
		r.seeTarget, r.seeServices, r.seeSiblings, r.seeClones, r.seeAutoscaler, r.seeRoute, r.seeSpec, r.seeConfigs, r.seeCommand, r.seeQueue,
	}
	service, release := c.Spec.TargetRef.Kind == workload.KindService, releaseAsked(c) || c.Status.Release != nil
	switch { // nothing that a spec lacks holds up a release
	case service && release:
		sights = []func(context.Context, *view) error{
			r.seeServiceTarget, r.seeSides, r.seeRoute, r.seeCommand, r.seeServiceRelease,
		}
	case release:
		sights = []func(context.Context, *view) error{
			r.seeTarget, r.seeServices, r.seeClones, r.seeAutoscaler, r.seeRoute, r.seeCommand, r.seeRelease,
		}
	case service:
		sights = []func(context.Context, *view) error{
			r.seeServiceTarget, r.seeSides, r.seeAutoscaler, r.seeRoute, r.seeSpec, r.seeCommand, r.seeQueue,
		}
	}
	for _, see := range sights {
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
	if workload.Blank(ref.Kind) == nil {
		v.problem("UnsupportedTarget", "targets of kind %s are not supported yet: name a Deployment, a DaemonSet or a Service in spec.targetRef", ref.Kind)
		return nil
	}
	d, err := r.workloadNamed(ctx, v.canary, ref.Name)
	if err != nil {
		return err
	}
	if d == nil {
		v.problem("TargetMissing", "%s %s/%s does not exist: create it, or correct spec.targetRef", ref.Kind, v.canary.Namespace, ref.Name)
		return nil
	}
	v.target = d
	v.Target.Exists = d.GetDeletionTimestamp().IsZero()
	v.Target.Replicas, v.Target.SizeField = d.Replicas(), d.SizeField()
	if v.canary.Spec.AutoscalerRef != nil {
		v.Target.Autoscaled = true
	}
	label, ok := workload.FindSelectorLabel(d, r.SelectorLabels)
	if !ok {
		v.problem("SelectorLabelMissing", "%s %s/%s selects its pods by none of the labels %v: add one of them to spec.selector.matchLabels and the template, or start the operator with --selector-labels",
			d.Kind(), d.GetNamespace(), d.GetName(), r.SelectorLabels)
		return nil
	}
	v.label = label
	for _, why := range workload.Refusals(d) {
		v.problem("TargetRefused", "%s %s/%s cannot have two revisions side by side: %s", d.Kind(), d.GetNamespace(), d.GetName(), why)
	}
	known, ok, err := r.revisions.Lookup(ctx, v.canary, d.Raw(), d.Template())
	if err != nil {
		return err
	}
	if ok {
		v.Target.Revision = known
	}
	if v.Target.Replicas > 0 && v.keeps() {
		v.Target.Writer = r.writer(ctx, copyOf(d), v.Target.SizeField)
	}
	return nil
}

// workloadNamed reads a workload of the target's kind; a missing one is nil.
func (r *Reconciler) workloadNamed(ctx context.Context, c *v1beta1.Canary, name string) (workload.Object, error) {
	o := workload.Blank(c.Spec.TargetRef.Kind)
	if o == nil {
		return nil, nil
	}
	err := r.client.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: name}, o)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s %s/%s: %w", c.Spec.TargetRef.Kind, c.Namespace, name, err)
	}
	return workload.Of(o), nil
}

// copyOf is for the client to write into: what the cache gave stays as it is.
func copyOf(o workload.Object) client.Object { return o.Raw().DeepCopyObject().(client.Object) }

// keeps is true while what others write to what Serin keeps is undone.
func (v *view) keeps() bool {
	s := &v.canary.Status
	return s.Promoted != nil && s.Initialization == nil && s.Release == nil
}

// writer is the field manager that last set the field at a path. It is read live: the
// cache keeps no managed fields, and this is asked only when somebody wrote what Serin keeps.
func (r *Reconciler) writer(ctx context.Context, live client.Object, path string) string {
	field := []byte(`"f:` + path[strings.LastIndexByte(path, '.')+1:] + `"`)
	if err := r.live.Get(ctx, client.ObjectKeyFromObject(live), live); err != nil {
		return ""
	}
	last := metav1.ManagedFieldsEntry{}
	for _, m := range live.GetManagedFields() {
		if m.Subresource == "status" || m.Manager == v1beta1.FieldManager || m.FieldsV1 == nil || !bytes.Contains(m.FieldsV1.GetRawBytes(), field) {
			continue
		}
		if last.Time == nil || m.Time != nil && !m.Time.Before(last.Time) {
			last = m
		}
	}
	return last.Manager
}

func (r *Reconciler) seeClones(ctx context.Context, v *view) error {
	c := v.canary
	var err error
	if v.primary, err = r.workloadNamed(ctx, c, c.PrimaryName()); err != nil {
		return err
	}
	if v.subject, err = r.workloadNamed(ctx, c, c.CanaryName()); err != nil {
		return err
	}
	v.services.Primary = v.primary
	if v.Primary, err = r.workload(ctx, v, v.primary, c.PrimaryServiceName()); err != nil {
		return err
	}
	v.Canary, err = r.workload(ctx, v, v.subject, c.CanaryServiceName())
	return err
}

func (r *Reconciler) workload(ctx context.Context, v *view, d workload.Object, service string) (rollout.Workload, error) {
	if d == nil {
		return rollout.Workload{}, nil
	}
	v.HighestStamp = max(v.HighestStamp, stampOf(d))
	n := d.Counts()
	w := rollout.Workload{
		Exists: true, Ours: d.GetLabels()[v1beta1.CanaryLabel] == v1beta1.LabelValue(v.canary.Name),
		Revision: d.GetAnnotations()[v1beta1.RevisionAnnotation], Images: revision.Images(d.Template()),
		Replicas: d.Replicas(), Pods: n.Pods, Updated: n.Updated, Available: n.Available, Synced: n.Synced,
		Trouble: d.Trouble(), Given: d.Kind() == workload.KindDaemonSet,
	}
	if w.Revision == "" || w.Replicas == 0 {
		return w, nil
	}
	var err error
	w.Endpoints, err = r.endpoints(ctx, d.GetNamespace(), service, w.Revision)
	return w, err
}

func (r *Reconciler) seeRoute(ctx context.Context, v *view) error {
	c := v.canary
	v.routed = RouteTarget(c)
	v.routed.Watched = r.Namespace
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
	v.features = v.router.Features()
	if v.state.Features != nil {
		v.features = *v.state.Features
	}
	v.Route = routeFacts(v.state)
	v.Route.Weighted, v.Route.NoCopies = v.features.Weights, !v.features.Mirror
	// What cannot be done was left out, with a warning: the rest stands for all.
	if ro := c.Status.Rollout; ro != nil && ro.Rules != nil && v.state.Rules == v.features.Heed(*ro.Rules).Digest() {
		v.Route.Rules = ro.Rules.Digest()
	}
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
		Service: c.Spec.Service,
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
func stampOf(o metav1.Object) int64 {
	n, err := strconv.ParseInt(o.GetAnnotations()[v1beta1.TransitionAnnotation], 10, 64)
	if err != nil {
		return 0
	}
	return n
}
