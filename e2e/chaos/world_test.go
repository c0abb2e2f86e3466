package chaos

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/metrics/fake"
	"github.com/serin-dev/serin/pkg/apitest"
	"github.com/serin-dev/serin/pkg/apitest/podinfo"
	"github.com/serin-dev/serin/pkg/apitest/standin"
	"github.com/serin-dev/serin/router/gloo/api"
)

// patient bounds every wait for something that must come.
const patient = 5 * time.Minute

// world is a namespace of a real API server with podinfo in it, a Prometheus, sinks, and one operator
// after the other.
type world struct {
	t        *testing.T
	ctx      context.Context
	cfg      *rest.Config
	c        client.WithWatch
	ns       string
	prom     *fake.Steady
	images   standin.Images
	ledger   ledger
	observer observer
	lives    sync.WaitGroup

	steady, unsteady memory

	mu        sync.Mutex
	processes []*process
	// ends are why processes ended that nobody killed.
	ends []string
}

func newWorld(t *testing.T, s *scenario) *world {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &world{t: t, ctx: ctx, cfg: apitest.Start(t, "../../router/gloo/testdata/crds"), prom: fake.NewSteady()}
	w.cfg.QPS = -1
	c, err := client.NewWithWatch(w.cfg, client.Options{Scheme: newScheme()})
	must(t, err)
	w.c = c
	w.ns = apitest.Namespace(t, c)
	w.lives.Go(func() {
		if err := standin.Run(ctx, w.cfg, standin.Options{Namespace: w.ns, Startup: 50 * time.Millisecond, Images: &w.images}); err != nil {
			t.Errorf("the stand-in: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); w.lives.Wait() })
	must(t, w.observer.watch(ctx, c, w.ns))
	objects := []client.Object{podinfo.Deployment(w.ns, "podinfo:6.0.0"), podinfo.Service(w.ns), w.virtualService(), w.configMap("blue")}
	for _, o := range objects {
		if d, ok := o.(*appsv1.Deployment); ok {
			w.mount(d)
		}
		must(t, c.Create(ctx, o))
	}
	must(t, c.Create(ctx, podinfo.Canary(w.ns, s.edit)))
	return w
}

func (w *world) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: w.ns, Name: name}
}

// virtualService delegates to the Canary's RouteTable.
func (w *world) virtualService() *unstructured.Unstructured {
	vs := api.New(api.VirtualService)
	vs.SetNamespace(w.ns)
	vs.SetName(podinfo.Name)
	vs.Object["spec"] = map[string]any{"virtualHost": map[string]any{
		"domains": []any{podinfo.Name + "." + w.ns},
		"routes": []any{map[string]any{
			"matchers":       []any{map[string]any{"prefix": "/"}},
			"delegateAction": map[string]any{"ref": map[string]any{"name": podinfo.Name, "namespace": w.ns}},
		}},
	}}
	return vs
}

const configName = "podinfo-config"

func (w *world) configMap(color string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: w.meta(configName), Data: map[string]string{"color": color}}
}

func (w *world) mount(d *appsv1.Deployment) {
	d.Spec.Template.Spec.Volumes = []corev1.Volume{{Name: "config", VolumeSource: corev1.VolumeSource{
		ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: configName}}}}}
}

// change does what a user does to an object, whoever else writes to it.
func change[T client.Object](w *world, name string, o T, edit func(T)) {
	w.t.Helper()
	must(w.t, w.c.Get(w.ctx, client.ObjectKey{Namespace: w.ns, Name: name}, o))
	before := o.DeepCopyObject().(client.Object)
	edit(o)
	must(w.t, w.c.Patch(w.ctx, o, client.MergeFrom(before), client.FieldOwner("a-user")))
}

func (w *world) setImage(image string) {
	w.t.Helper()
	change(w, podinfo.Name, &appsv1.Deployment{}, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = image })
}

func (w *world) configure(color string) {
	w.t.Helper()
	change(w, configName, &corev1.ConfigMap{}, func(c *corev1.ConfigMap) { c.Data["color"] = color })
}

func (w *world) setInterval(interval string) {
	w.t.Helper()
	change(w, podinfo.Name, &v1beta1.Canary{}, func(c *v1beta1.Canary) { c.Spec.Analysis.Interval = interval })
}

func (w *world) remove() {
	w.t.Helper()
	must(w.t, w.c.Delete(w.ctx, podinfo.Canary(w.ns)))
}

// until waits for a moment.
func (w *world) until(what string, is func(moment) bool) {
	w.t.Helper()
	deadline := time.After(patient)
	for {
		history, news := w.observer.history()
		if n := len(history); n > 0 && is(history[n-1]) {
			return
		}
		select {
		case <-news:
		case <-deadline:
			w.t.Fatalf("waited in vain until %s\n%s", what, w.story())
		}
	}
}

func (w *world) takesWeight(canary int64) {
	w.t.Helper()
	w.until(fmt.Sprintf("the canary has %d %%", canary), func(m moment) bool { return m.route != nil && m.route.canary == canary })
}

// rests is true once so many rollouts have ended and all of it has been told.
func rests(runs int) func(moment) bool {
	return func(m moment) bool {
		if m.canary == nil {
			return false
		}
		s := m.canary.Status
		ended := s.Rollout == nil && runs == 0 || s.Rollout != nil && s.Rollout.EndedAt != nil && len(s.History) >= runs
		if !ended || s.Initialization != nil || len(s.Journal) == 0 {
			return false
		}
		last := s.Journal[len(s.Journal)-1].Transition
		untold := func(k v1beta1.SinkStatus) bool { return k.Name != "down" && k.Told < last }
		return s.Told >= last && !slices.ContainsFunc(s.Sinks, untold)
	}
}

// isGone is true once there is no Canary any more.
func isGone(m moment) bool { return m.canary == nil }

// all are the processes so far.
func (w *world) all() []*process {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.processes)
}

// quietFor is true when no process has done anything for a while, and the newest lives and knows all.
func (w *world) quietFor(d time.Duration) bool {
	all := w.all()
	for _, p := range all {
		if !p.wire.quietFor(d) {
			return false
		}
	}
	last := all[len(all)-1]
	return last.synced.Load() && !closed(last.wire.died)
}

func (w *world) gaveUp(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ends = append(w.ends, fmt.Sprintf("a process gave up: %v", err))
}

func (w *world) failures() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.ends)
}

// story is what the canary's journal says, for a failed test's reader.
func (w *world) story() string {
	var c v1beta1.Canary
	if err := w.c.Get(context.Background(), client.ObjectKey{Namespace: w.ns, Name: podinfo.Name}, &c); err != nil {
		return err.Error()
	}
	out := fmt.Sprintf("%s, weight %s, told %d of %d\n", c.Status.Phase, c.Status.CanaryWeight, c.Status.Told, c.Status.Transition)
	for _, e := range c.Status.Journal {
		out += fmt.Sprintf("%s %3d %s: %s. %s. %s\n", e.At.Format("15:04:05"), e.Transition, e.Reason, e.What, e.Why, e.Next)
	}
	for _, cond := range c.Status.Conditions {
		out += fmt.Sprintf("%s=%s %s: %s\n", cond.Type, cond.Status, cond.Reason, cond.Message)
	}
	return out
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
