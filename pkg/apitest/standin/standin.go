// Package standin takes the place of kube-controller-manager, scheduler and kubelet where a test has
// only an API server. It is not them: no container runs, nothing is scheduled and no traffic flows.
// It makes Pods for Deployments and DaemonSets, says they are ready after a while, rolls without ever having fewer
// ready pods than wanted, and lists them in EndpointSlices as the real controllers do: that is all of
// a cluster that the operator observes.
package standin

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Options say how the stand-in behaves.
type Options struct {
	// Namespace that it works in; empty for all.
	Namespace string
	// Startup is how long a pod takes from its creation to being ready.
	Startup time.Duration
	// Images that never become ready; nil for none.
	Images *Images
	// Workers bounds what is reconciled at once. Default: 4.
	Workers int
}

// Images remembers which images do not start, and to where tags were moved. The zero value starts
// all of them.
type Images struct{ broken, moved sync.Map }

// Break keeps new pods with an image from becoming ready.
func (i *Images) Break(image string) { i.broken.Store(image, true) }

// Mend lets them become ready after all.
func (i *Images) Mend(image string) { i.broken.Delete(image) }

// Move lets a tag name another image: pods that start from now on run it.
func (i *Images) Move(image string) { i.moved.Store(image, "moved") }

// id is what a node says that it runs for an image.
func (i *Images) id(image string) string {
	content := image
	if i != nil {
		if moved, ok := i.moved.Load(image); ok {
			content += moved.(string)
		}
	}
	return fmt.Sprintf("registry.local/standin@sha256:%x", sha256.Sum256([]byte(content)))
}

func (i *Images) starts(t *corev1.PodSpec) bool {
	if i == nil {
		return true
	}
	for _, c := range t.Containers {
		if _, broken := i.broken.Load(c.Image); broken {
			return false
		}
	}
	return true
}

// Run stands in until the context ends.
func Run(ctx context.Context, cfg *rest.Config, o Options) error {
	cfg = rest.CopyConfig(cfg)
	cfg.UserAgent, cfg.QPS = "standin", -1
	opts := ctrl.Options{
		Scheme: scheme.Scheme, Metrics: server.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: ptr.To(true)}, // tests run several in one process
	}
	if o.Namespace != "" {
		opts.Cache.DefaultNamespaces = map[string]cache.Config{o.Namespace: {}}
	}
	mgr, err := ctrl.NewManager(cfg, opts)
	if err != nil {
		return fmt.Errorf("set up the stand-in: %w", err)
	}
	if o.Workers == 0 {
		o.Workers = 4
	}
	if err := setup(mgr, o); err != nil {
		return fmt.Errorf("set up the stand-in: %w", err)
	}
	return mgr.Start(ctx)
}

// byOwner is the index of pods by the UID of the workload that they are of.
const byOwner = "owner"

func setup(mgr ctrl.Manager, o Options) error {
	many := controller.Options{MaxConcurrentReconciles: o.Workers}
	c := mgr.GetClient()
	err := mgr.GetFieldIndexer().IndexField(context.Background(), &corev1.Pod{}, byOwner, func(pod client.Object) []string {
		if owner := metav1.GetControllerOf(pod); owner != nil {
			return []string{string(owner.UID)}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = ctrl.NewControllerManagedBy(mgr).Named("deployments").WithOptions(many).
		For(&appsv1.Deployment{}).Owns(&corev1.Pod{}).
		Complete(&deployments{kubelet{Options: o, client: c}})
	if err != nil {
		return err
	}
	err = ctrl.NewControllerManagedBy(mgr).Named("daemonsets").WithOptions(many).
		For(&appsv1.DaemonSet{}).Owns(&corev1.Pod{}).
		Complete(&daemonSets{kubelet{Options: o, client: c}})
	if err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).Named("endpoints").WithOptions(many).
		For(&corev1.Service{}).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(servicesOf(c))).
		Watches(&discoveryv1.EndpointSlice{}, handler.EnqueueRequestsFromMapFunc(serviceOf)).
		Complete(&endpoints{client: c})
}

// servicesOf maps a pod to the Services that select it. One that a change of labels takes it from is mapped
// to by what the pod was before.
func servicesOf(c client.Client) handler.MapFunc {
	return func(ctx context.Context, pod client.Object) []reconcile.Request {
		var l corev1.ServiceList
		if err := c.List(ctx, &l, client.InNamespace(pod.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
			return nil
		}
		var requests []reconcile.Request
		for i := range l.Items {
			if labels.SelectorFromSet(l.Items[i].Spec.Selector).Matches(labels.Set(pod.GetLabels())) {
				requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&l.Items[i])})
			}
		}
		return requests
	}
}

func serviceOf(_ context.Context, slice client.Object) []reconcile.Request {
	key := client.ObjectKey{Namespace: slice.GetNamespace(), Name: slice.GetLabels()[discoveryv1.LabelServiceName]}
	return []reconcile.Request{{NamespacedName: key}}
}
