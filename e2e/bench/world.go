package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router/gloo/api"
)

const (
	namespace = "bench"
	// patience bounds every wait.
	patience = 5 * time.Minute
)

// world is what users have on the API server, and a watch on their canaries.
type world struct {
	client client.WithWatch
	mu     sync.Mutex
	seen   map[string]sighting
	news   chan struct{}
}

// sighting is a canary's status and when it was first seen.
type sighting struct {
	status v1beta1.CanaryStatus
	at     time.Time
}

func newWorld(ctx context.Context, config *rest.Config) (*world, error) {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, v1beta1.AddToScheme} {
		if err := add(s); err != nil {
			return nil, err
		}
	}
	c, err := client.NewWithWatch(config, client.Options{Scheme: s})
	if err != nil {
		return nil, err
	}
	w := &world{client: c, seen: map[string]sighting{}, news: make(chan struct{})}
	if err := c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		return nil, err
	}
	canaries, err := c.Watch(ctx, &v1beta1.CanaryList{}, client.InNamespace(namespace))
	if err != nil {
		return nil, err
	}
	go func() {
		for e := range canaries.ResultChan() {
			if c, ok := e.Object.(*v1beta1.Canary); ok {
				w.saw(c)
			}
		}
	}()
	return w, nil
}

func (w *world) saw(c *v1beta1.Canary) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[c.Name] = sighting{c.Status, time.Now()}
	close(w.news)
	w.news = make(chan struct{})
}

// await returns when a canary was first seen in a state.
func (w *world) await(ctx context.Context, name, what string, is func(*v1beta1.CanaryStatus) bool) (time.Time, error) {
	deadline := time.After(patience)
	for {
		w.mu.Lock()
		s, news := w.seen[name], w.news
		w.mu.Unlock()
		if is(&s.status) {
			return s.at, nil
		}
		select {
		case <-news:
		case <-deadline:
			return time.Time{}, fmt.Errorf("canary %s is not %s after %s: phase %s, %s", name, what, patience, s.status.Phase, s.status.Reason)
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}
}

func name(i int) string { return fmt.Sprintf("app-%02d", i) }

// adopt makes n applications and waits until they are at rest.
func (w *world) adopt(ctx context.Context, n int) error {
	for i := range n {
		pods := int32(1)
		if i == 0 {
			pods = 10 // its steps need more canary pods each
		}
		for _, o := range application(name(i), pods) {
			if err := w.client.Create(ctx, o); err != nil {
				return fmt.Errorf("create %s: %w", name(i), err)
			}
		}
	}
	for i := range n {
		if err := w.rests(ctx, name(i)); err != nil {
			return err
		}
	}
	return nil
}

// rests waits until a canary is at rest and everything has been told.
func (w *world) rests(ctx context.Context, name string) error {
	_, err := w.await(ctx, name, "at rest", func(s *v1beta1.CanaryStatus) bool {
		n := len(s.Journal)
		return (s.Phase == v1beta1.PhaseInitialized || s.Phase == v1beta1.PhaseSucceeded) && n > 0 && s.Told >= s.Journal[n-1].Transition
	})
	return err
}

func (w *world) setImage(ctx context.Context, name, image string) error {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	patch := fmt.Sprintf(`{"spec":{"template":{"spec":{"containers":[{"name":"app","image":%q}]}}}}`, image)
	return w.client.Patch(ctx, d, client.RawPatch("application/strategic-merge-patch+json", []byte(patch)))
}

// command gives one as kubectl serin does.
func (w *world) command(ctx context.Context, name, text string) error {
	c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, v1beta1.CommandAnnotation, text)
	return w.client.Patch(ctx, c, client.RawPatch("application/merge-patch+json", []byte(patch)))
}

// application is a Deployment with its Service, its route and its Canary.
func application(name string, pods int32) []client.Object {
	meta := metav1.ObjectMeta{Namespace: namespace, Name: name}
	labels := map[string]string{"app": name}
	d := &appsv1.Deployment{ObjectMeta: meta}
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	d.Spec.Template.Labels, d.Spec.Replicas = labels, &pods
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "app", Image: "app:1"}}
	svc := &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 80}}}}
	vs := api.New(api.VirtualService)
	vs.SetNamespace(namespace)
	vs.SetName(name)
	vs.Object["spec"] = map[string]any{"virtualHost": map[string]any{"domains": []any{name}, "routes": []any{map[string]any{
		"matchers": []any{map[string]any{"prefix": "/"}}, "delegateAction": map[string]any{"ref": map[string]any{"name": name, "namespace": namespace}},
	}}}}
	return []client.Object{d, svc, vs, canary(meta)}
}

func canary(meta metav1.ObjectMeta) *v1beta1.Canary {
	least := 99.0
	c := &v1beta1.Canary{ObjectMeta: meta}
	c.Spec.TargetRef = v1beta1.LocalObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: meta.Name}
	c.Spec.Service.Port = 80
	c.Spec.Analysis = &v1beta1.CanaryAnalysis{Interval: interval.String(), StepWeights: steps, Metrics: []v1beta1.CanaryMetric{
		{Name: v1beta1.MetricSuccessRate, Interval: "1m", ThresholdRange: &v1beta1.ThresholdRange{Min: &least}}}}
	return c
}
