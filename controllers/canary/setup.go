// Package canary runs the loop around pkg/rollout: observe the cluster from the cache, plan, commit
// the status with optimistic lock, make the world follow, ask and tell. What it decides, it decides
// in pkg/rollout.
package canary

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/metrics"
	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/pkg/configs"
	"github.com/serin-dev/serin/pkg/dial"
	"github.com/serin-dev/serin/pkg/revision"
	"github.com/serin-dev/serin/pkg/telemetry"
	"github.com/serin-dev/serin/pkg/webhook"
	"github.com/serin-dev/serin/pkg/workload"
	"github.com/serin-dev/serin/router"
)

// Defaults of options.
const (
	DefaultProvider      = "gloo"
	DefaultMetricsServer = "http://prometheus:9090"
)

// DefaultSelectorLabels are the labels that may tell a target's pods unless others are named.
func DefaultSelectorLabels() []string { return []string{"app", "name", "app.kubernetes.io/name"} }

// Options are what the operator was started with.
type Options struct {
	// Namespace is the only one that is watched; empty for all.
	Namespace string
	// Shard is the ShardLabel of the canaries that are handled; empty for those without.
	Shard string
	// Provider is the router of canaries that name none.
	Provider string
	// MetricsServer is the Prometheus of canaries that name none.
	MetricsServer string
	// SelectorLabels are the labels that may tell a target's pods, in order of preference.
	SelectorLabels []string
	// EventWebhook is the URL of a webhook of type event for canaries without one.
	EventWebhook string
	// ClusterName is shown in notifications.
	ClusterName string
	// Home is the namespace that the operator runs in; empty outside of a cluster.
	Home string
	// CommandsStamped is true where an admission policy vouches for who gave a command.
	CommandsStamped bool
	// TrackConfigs makes ConfigMaps part of a revision, and Secrets in SecretNamespaces.
	TrackConfigs     bool
	SecretNamespaces []string
	// ReferenceNamespaces are those whose objects a Canary of any namespace may name; "*" is all.
	ReferenceNamespaces []string
	// Guard says which addresses of metric providers and alerts are called.
	Guard *dial.Guard
	// Workers bounds the canaries that are reconciled at once; Askers the questions under way.
	Workers, Askers int
}

// handles is false for the canaries of another operator. They are in the cache all the same: limits,
// dependencies and claims to a target hold across operators.
func (o Options) handles(c *v1beta1.Canary) bool { return c.Labels[v1beta1.ShardLabel] == o.Shard }

// Deps are the implementations that cmd has chosen.
type Deps struct {
	Routers *router.Registry
	Metrics *metrics.Registry
	// Notifiers are the operator's own sinks, Alerts the types of AlertProviders.
	Notifiers map[string]notifier.Notifier
	Alerts    *notifier.Registry
	Hooks     *webhook.Caller
	Telemetry *telemetry.Metrics
	Now       func() time.Time
}

// Reconciler drives canaries.
type Reconciler struct {
	Options
	Deps
	client    *freshClient
	live      client.Reader
	cache     cache.Cache
	revisions revision.Store
	routers   routers
	keda      keda
	refused   refusals
	handbacks handbacks
	released  released
	unkept    unkept
	settling  settling
	providers providers
	hooks     hooks
	asker     *asker
	teller    *teller
	starting  sync.Mutex
	wake      chan event.GenericEvent
}

// Index names.
const (
	indexTarget     = "spec.targetRef"
	indexLabel      = "serin.label"
	indexService    = "spec.service"
	indexAutoscaler = "spec.autoscalerRef"
	indexAlert      = "spec.analysis.alerts.providerRef"
	indexTemplate   = "spec.analysis.metrics.templateRef"
	indexDependsOn  = "spec.dependsOn"
	indexGroup      = "spec.concurrency.group"
	indexLimit      = "spec.concurrency"
	indexConfigs    = "serin.configs"
)

// Setup builds the reconciler and registers it with the manager.
func Setup(mgr ctrl.Manager, o Options, d Deps) (*Reconciler, error) {
	r := assemble(o, d, mgr.GetClient(), mgr.GetAPIReader())
	r.cache = mgr.GetCache()
	if err := r.index(mgr); err != nil {
		return nil, err
	}
	c, err := r.watch(mgr)
	if err != nil {
		return nil, err
	}
	r.routers = routers{registry: d.Routers, client: r.client, watch: func(w router.Watch) error {
		for field, index := range w.Index {
			keys := whole(func(o client.Object) []string { return mapped(o, index) })
			if err := mgr.GetFieldIndexer().IndexField(context.Background(), w.Object, field, keys); err != nil {
				return fmt.Errorf("index by %s: %w", field, err)
			}
		}
		return c.Watch(source.Kind(mgr.GetCache(), w.Object, unpacking(
			func(ctx context.Context, o client.Object) []reconcile.Request {
				return requests(mapped(o, func(o client.Object) []types.NamespacedName { return w.Canaries(ctx, o) }))
			})))
	}}
	r.keda = keda{mapper: mgr.GetRESTMapper(), watch: func(o client.Object) error {
		return c.Watch(source.Kind(mgr.GetCache(), o, r.mapTo(indexAutoscaler, scalerKey), predicate.Funcs{UpdateFunc: rewritten}))
	}}
	for _, run := range []func(context.Context) error{r.asker.run, r.teller.run, r.letGoAtEnd} {
		if err := mgr.Add(leaderTask(run)); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// assemble puts the loop together around a client that writes to the API server and a reader that reads
// from it. What watches is the caller's.
func assemble(o Options, d Deps, c client.Client, live client.Reader) *Reconciler {
	if d.Now == nil {
		d.Now = time.Now
	}
	fresh := newFreshClient(c, d.Now)
	r := &Reconciler{Options: o, Deps: d, client: fresh, live: live, wake: make(chan event.GenericEvent, 1024)}
	r.revisions = revision.Store{Client: fresh, Live: live, Tracks: o.tracks}
	r.providers = providers{registry: d.Metrics, secrets: live, guard: o.Guard, kept: &kept[metrics.Provider]{}, batches: &kept[*metrics.Batch]{}}
	r.hooks = hooks{caller: d.Hooks, secrets: live}
	r.asker = newAsker(o.Askers, r.answer, r.wakeUp)
	r.teller = newTeller(&audience{client: fresh, own: d.Notifiers, hooks: r.hooks, eventWebhook: o.EventWebhook, cluster: o.ClusterName,
		alerts: alerts{registry: d.Alerts, client: fresh, secrets: live, guard: o.Guard, kept: &kept[notifier.Notifier]{}, outOfReach: o.outOfReach}},
		r.wakeUp, d.Telemetry, d.Now)
	return r
}

// leaderTask runs only where this operator leads.
type leaderTask func(context.Context) error

func (t leaderTask) Start(ctx context.Context) error { return t(ctx) }
func (leaderTask) NeedLeaderElection() bool          { return true }

// CacheOptions narrow the caches to what is used: slim, and of what Serin creates by its label. Of
// ConfigMaps, and of Secrets in the given namespaces, there is metadata and no contents.
func CacheOptions(namespace string, secretNamespaces ...string) cache.Options {
	ours := cache.ByObject{Label: labelExists(v1beta1.CanaryLabel)}
	o := cache.Options{
		DefaultTransform: slim,
		ByObject: map[client.Object]cache.ByObject{
			podMetadata():                {Label: ours.Label, Transform: countable},
			&discoveryv1.EndpointSlice{}: ours,
			&appsv1.ControllerRevision{}: ours,

			revision.Metadata(configs.ConfigMap): {Transform: bare},
		},
	}
	if len(secretNamespaces) > 0 {
		secrets := cache.ByObject{Transform: bare, Namespaces: map[string]cache.Config{}}
		for _, n := range secretNamespaces {
			secrets.Namespaces[n] = cache.Config{}
		}
		o.ByObject[revision.Metadata(configs.Secret)] = secrets
	}
	if namespace != "" {
		o.DefaultNamespaces = map[string]cache.Config{namespace: {}}
	}
	return o
}

// ClientOptions let routers read their unstructured objects from the cache too.
func ClientOptions() client.Options {
	return client.Options{Cache: &client.CacheOptions{Unstructured: true}}
}

func (r *Reconciler) index(mgr ctrl.Manager) error {
	for name, value := range map[string]func(*v1beta1.Canary) []string{
		indexTarget:    func(c *v1beta1.Canary) []string { return []string{targetOf(c)} },
		indexLabel:     func(c *v1beta1.Canary) []string { return []string{v1beta1.LabelValue(c.Name)} },
		indexDependsOn: dependenciesOf,
		indexGroup:     groupsOf,
		indexLimit:     limitOf,
		indexService:   func(c *v1beta1.Canary) []string { return []string{c.ApexName()} },
		indexAlert:     alertKeys,
		indexTemplate:  templateKeys,

		router.IndexUpstream: router.UpstreamOf,
		indexAutoscaler: func(c *v1beta1.Canary) []string {
			if c.Spec.AutoscalerRef == nil {
				return nil
			}
			return []string{c.Spec.AutoscalerRef.Name}
		},
	} {
		err := mgr.GetFieldIndexer().IndexField(context.Background(), &v1beta1.Canary{}, name, func(o client.Object) []string {
			return value(o.(*v1beta1.Canary))
		})
		if err != nil {
			return fmt.Errorf("index canaries by %s: %w", name, err)
		}
	}
	for _, o := range []client.Object{&appsv1.Deployment{}, &appsv1.DaemonSet{}} {
		if err := mgr.GetFieldIndexer().IndexField(context.Background(), o, indexConfigs, whole(configKeys)); err != nil {
			return fmt.Errorf("index %T by %s: %w", o, indexConfigs, err)
		}
	}
	return nil
}

func (r *Reconciler) watch(mgr ctrl.Manager) (controller.Controller, error) {
	byLabel := r.mapTo(indexLabel, func(o client.Object) string { return o.GetLabels()[v1beta1.CanaryLabel] })
	changed := urgent{r.mapTo(indexTarget, targetKey)}
	late := handler.EnqueueRequestsFromMapFunc(r.madeLate)
	b := ctrl.NewControllerManagedBy(mgr).
		Named("canary").
		For(&v1beta1.Canary{}).
		Watches(&v1beta1.Canary{}, r.mapTo(indexTarget, func(o client.Object) string { return targetOf(o.(*v1beta1.Canary)) }),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})). // one that goes leaves its target to another
		Watches(&v1beta1.Canary{}, handler.EnqueueRequestsFromMapFunc(r.waitingFor), builder.WithPredicates(cameToRest)).
		Watches(&appsv1.Deployment{}, byLabel).
		Watches(&appsv1.Deployment{}, changed, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&appsv1.DaemonSet{}, byLabel).
		Watches(&appsv1.DaemonSet{}, changed, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&corev1.Service{}, r.mapTo(indexService, apexOf)).
		Watches(&corev1.Service{}, handler.EnqueueRequestsFromMapFunc(r.adoptingIn)).
		Watches(&networkingv1.NetworkPolicy{}, handler.EnqueueRequestsFromMapFunc(r.adoptingIn)).
		Watches(&policyv1.PodDisruptionBudget{}, handler.EnqueueRequestsFromMapFunc(r.allBeside), builder.WithPredicates(predicate.Funcs{UpdateFunc: rewritten})).
		Watches(&discoveryv1.EndpointSlice{}, byLabel).
		Watches(podMetadata(), byLabel, builder.WithPredicates(appeared)). // an endpoint counts once its pod is known
		Watches(&appsv1.ControllerRevision{}, urgent{byLabel}).            // the snapshot of what has changed
		Watches(&autoscalingv2.HorizontalPodAutoscaler{}, r.mapTo(indexAutoscaler, scalerKey), builder.WithPredicates(scalerChanged)).
		Watches(&v1beta1.MetricTemplate{}, handler.EnqueueRequestsFromMapFunc(r.asking)).
		Watches(&v1beta1.AlertProvider{}, handler.EnqueueRequestsFromMapFunc(r.alerted)).
		WatchesRawSource(source.Channel(r.wake, &handler.EnqueueRequestForObject{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: max(r.Workers, 1)})
	for _, kind := range r.trackedKinds() {
		b = b.Watches(revision.Metadata(kind), r.configChanged(kind)).
			Watches(revision.Metadata(kind), byLabel, builder.WithPredicates(disappeared)).
			Watches(revision.Metadata(kind), late, builder.WithPredicates(appeared))
	}
	for _, o := range []client.Object{&corev1.Service{}, &discoveryv1.EndpointSlice{}, &appsv1.ControllerRevision{}, &autoscalingv2.HorizontalPodAutoscaler{}, &policyv1.PodDisruptionBudget{}} {
		b = b.Watches(o, late, builder.WithPredicates(appeared))
	}
	return b.Build(r)
}

// scalerKey is under what indexAutoscaler has an autoscaler: its own name, or that of the one it copies.
func scalerKey(o client.Object) string {
	return strings.TrimSuffix(o.GetName(), "-"+v1beta1.RolePrimary)
}

// rewritten passes changes of spec and metadata, and none of the status alone.
func rewritten(e event.UpdateEvent) bool {
	before, after := unpacked(e.ObjectOld), unpacked(e.ObjectNew)
	return before.GetGeneration() != after.GetGeneration() ||
		!maps.Equal(before.GetAnnotations(), after.GetAnnotations()) || !maps.Equal(before.GetLabels(), after.GetLabels())
}

// scalerChanged passes changes of an autoscaler's spec: its status moves every few seconds, and it
// has no generation that would tell.
var scalerChanged = predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	before, okBefore := unpacked(e.ObjectOld).(*autoscalingv2.HorizontalPodAutoscaler)
	after, okAfter := unpacked(e.ObjectNew).(*autoscalingv2.HorizontalPodAutoscaler)
	return !okBefore || !okAfter || !equality.Semantic.DeepEqual(before.Spec, after.Spec) || !maps.Equal(before.Annotations, after.Annotations)
}}

// appeared passes what is new to the cache, and no change of it.
var appeared = predicate.Funcs{
	UpdateFunc:  func(event.UpdateEvent) bool { return false },
	DeleteFunc:  func(event.DeleteEvent) bool { return false },
	GenericFunc: func(event.GenericEvent) bool { return false },
}

// disappeared passes what is deleted.
var disappeared = predicate.Funcs{
	CreateFunc:  func(event.CreateEvent) bool { return false },
	UpdateFunc:  func(event.UpdateEvent) bool { return false },
	GenericFunc: func(event.GenericEvent) bool { return false },
}

// targetOf names a canary's target among those of its namespace.
func targetOf(c *v1beta1.Canary) string { return c.Spec.TargetRef.Kind + "/" + c.Spec.TargetRef.Name }

// targetKey is under what indexTarget has a workload.
func targetKey(o client.Object) string { return workload.Of(unpacked(o)).Kind() + "/" + o.GetName() }

// apexOf is the apex Service that a Service is, or belongs to.
func apexOf(o client.Object) string {
	if role := o.GetLabels()[v1beta1.RoleLabel]; role != "" {
		return strings.TrimSuffix(o.GetName(), "-"+role)
	}
	return o.GetName()
}

// mapTo wakes the canaries that an index finds under a key of the object.
func (r *Reconciler) mapTo(index string, key func(client.Object) string) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
		k := key(o)
		if k == "" {
			return nil
		}
		return r.find(ctx, o.GetNamespace(), client.MatchingFields{index: k})
	})
}

// asking wakes the canaries, of whatever namespace, that name a MetricTemplate.
func (r *Reconciler) asking(ctx context.Context, o client.Object) []reconcile.Request {
	return r.find(ctx, "", client.MatchingFields{indexTemplate: client.ObjectKeyFromObject(o).String()})
}

// allBeside wakes the canaries of the object's namespace.
func (r *Reconciler) allBeside(ctx context.Context, o client.Object) []reconcile.Request {
	return r.find(ctx, o.GetNamespace())
}

// alerted wakes the canaries that name an AlertProvider, and tries at once what it could not be told.
func (r *Reconciler) alerted(ctx context.Context, o client.Object) []reconcile.Request {
	found := r.find(ctx, "", client.MatchingFields{indexAlert: client.ObjectKeyFromObject(o).String()})
	for _, f := range found {
		r.teller.again(f.NamespacedName)
	}
	return found
}

func alertKeys(c *v1beta1.Canary) []string {
	if c.Spec.Analysis == nil {
		return nil
	}
	var keys []string
	for _, a := range c.Spec.Analysis.Alerts {
		keys = append(keys, providerKey(c, a).String())
	}
	return keys
}

func templateKeys(c *v1beta1.Canary) []string {
	if c.Spec.Analysis == nil {
		return nil
	}
	var keys []string
	for _, m := range c.Spec.Analysis.Metrics {
		if m.TemplateRef != nil {
			keys = append(keys, templateKey(c, m).String())
		}
	}
	return keys
}

// find names canaries. It runs for every event, and only reads: copies of a whole namespace's would
// be most of what the operator does at its start.
func (r *Reconciler) find(ctx context.Context, namespace string, opts ...client.ListOption) []reconcile.Request {
	var l v1beta1.CanaryList
	if err := r.client.List(ctx, &l, append(opts, client.InNamespace(namespace), client.UnsafeDisableDeepCopy)...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "list canaries of a changed object")
		return nil
	}
	return requests(keysOf(l.Items))
}

func keysOf(canaries []v1beta1.Canary) []types.NamespacedName {
	names := make([]types.NamespacedName, 0, len(canaries))
	for i := range canaries {
		names = append(names, client.ObjectKeyFromObject(&canaries[i]))
	}
	return names
}

func requests(names []types.NamespacedName) []reconcile.Request {
	out := make([]reconcile.Request, 0, len(names))
	for _, n := range names {
		out = append(out, reconcile.Request{NamespacedName: n})
	}
	return out
}

// wakeUp plans a canary again: an answer is in, or a delivery is done.
func (r *Reconciler) wakeUp(name types.NamespacedName) {
	c := &v1beta1.Canary{}
	c.Namespace, c.Name = name.Namespace, name.Name
	r.wake <- event.GenericEvent{Object: c}
}
