package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/e2e/gateway/gloo"
	"github.com/serin-dev/serin/e2e/gateway/translate"
)

// watcher keeps a copy of all that a translation depends on.
type watcher struct {
	cache     cache.Cache
	namespace string
	// changed holds a token while something is new.
	changed chan struct{}
}

func newWatcher(ctx context.Context, cfg *rest.Config, namespace string) (*watcher, error) {
	c, err := cache.New(cfg, cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{&corev1.ConfigMap{}: {
			Namespaces: map[string]cache.Config{namespace: {
				FieldSelector: fields.OneTermEqualSelector("metadata.name", faultsName),
			}},
		}},
	})
	if err != nil {
		return nil, fmt.Errorf("make a cache: %w", err)
	}
	w := &watcher{cache: c, namespace: namespace, changed: make(chan struct{}, 1)}
	watched := []client.Object{
		ofKind(gloo.VirtualServiceKind), ofKind(gloo.RouteTableKind), ofKind(gloo.UpstreamKind),
		&corev1.Service{}, &discoveryv1.EndpointSlice{}, &corev1.ConfigMap{}, podMetadata(),
	}
	for _, object := range watched {
		if err := w.watch(ctx, object); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func ofKind(kind schema.GroupVersionKind) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(kind)
	return u
}

// podMetadata asks for the labels of pods and no more.
func podMetadata() *metav1.PartialObjectMetadata {
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
	return m
}

// watch waits for a kind whose CRD is not there yet: the control plane and the
// CRDs are often applied in one go.
func (w *watcher) watch(ctx context.Context, object client.Object) error {
	return wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (bool, error) {
		informer, err := w.cache.GetInformer(ctx, object, cache.BlockUntilSynced(false))
		if meta.IsNoMatchError(err) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("watch %T: %w", object, err)
		}
		_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { w.notify() },
			UpdateFunc: func(any, any) { w.notify() },
			DeleteFunc: func(any) { w.notify() },
		})
		return err == nil, err
	})
}

// notify says that something is new. Further news before anybody looked is the
// same news.
func (w *watcher) notify() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// faults reads how to misbehave; without a ConfigMap, not at all.
func (w *watcher) faults(ctx context.Context) (faults, error) {
	var list corev1.ConfigMapList
	if err := w.cache.List(ctx, &list, client.InNamespace(w.namespace)); err != nil {
		return faults{}, fmt.Errorf("read faults: %w", err)
	}
	for i := range list.Items {
		if list.Items[i].Name == faultsName {
			return parseFaults(&list.Items[i])
		}
	}
	return faults{}, nil
}

// world collects everything as it stands.
func (w *watcher) world(ctx context.Context) (translate.World, error) {
	var out translate.World
	var err error
	if out.VirtualServices, err = list(ctx, w.cache, gloo.VirtualServiceKind, gloo.DecodeVirtualService); err != nil {
		return out, err
	}
	if out.RouteTables, err = list(ctx, w.cache, gloo.RouteTableKind, gloo.DecodeRouteTable); err != nil {
		return out, err
	}
	if out.Upstreams, err = list(ctx, w.cache, gloo.UpstreamKind, gloo.DecodeUpstream); err != nil {
		return out, err
	}
	var services corev1.ServiceList
	if err := w.cache.List(ctx, &services); err != nil {
		return out, fmt.Errorf("list Services: %w", err)
	}
	out.Services = pointers(services.Items)
	var endpoints discoveryv1.EndpointSliceList
	if err := w.cache.List(ctx, &endpoints); err != nil {
		return out, fmt.Errorf("list EndpointSlices: %w", err)
	}
	out.Slices = pointers(endpoints.Items)
	out.PodLabels, err = w.podLabels(ctx)
	return out, err
}

func (w *watcher) podLabels(ctx context.Context) (map[gloo.Ref]map[string]string, error) {
	pods := &metav1.PartialObjectMetadataList{}
	pods.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
	if err := w.cache.List(ctx, pods); err != nil {
		return nil, fmt.Errorf("list Pods: %w", err)
	}
	labels := make(map[gloo.Ref]map[string]string, len(pods.Items))
	for _, p := range pods.Items {
		labels[gloo.Ref{Name: p.Name, Namespace: p.Namespace}] = p.Labels
	}
	return labels, nil
}

func list[T any](ctx context.Context, r client.Reader, kind schema.GroupVersionKind, decode func(*unstructured.Unstructured) T) ([]T, error) {
	found := &unstructured.UnstructuredList{}
	found.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	if err := r.List(ctx, found); err != nil {
		return nil, fmt.Errorf("list %ss: %w", kind.Kind, err)
	}
	out := make([]T, 0, len(found.Items))
	for i := range found.Items {
		out = append(out, decode(&found.Items[i]))
	}
	return out, nil
}

func pointers[T any](items []T) []*T {
	out := make([]*T, 0, len(items))
	for i := range items {
		out = append(out, &items[i])
	}
	return out
}
