package bare

import (
	"context"
	"fmt"
	"strings"
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
)

const (
	// Namespace of the applications.
	Namespace = "bare"
	// patience bounds every wait.
	patience = 5 * time.Minute
)

// World is what users have on the API server, and a watch on their canaries. Applications go by their
// name, or by namespace/name outside of Namespace.
type World struct {
	Client client.WithWatch

	mu   sync.Mutex
	seen map[string]sighting
	news chan struct{}
}

// sighting is a canary's status and when it was first seen.
type sighting struct {
	status v1beta1.CanaryStatus
	at     time.Time
}

// NewWorld watches all canaries, as long as ctx lives.
func NewWorld(ctx context.Context, config *rest.Config) (*World, error) {
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
	w := &World{Client: c, seen: map[string]sighting{}, news: make(chan struct{})}
	go w.watch(ctx)
	return w, nil
}

// watch sees every canary. The API server ends a watch when its kind is changed; the next begins with
// all that is there.
func (w *World) watch(ctx context.Context) {
	for ctx.Err() == nil {
		canaries, err := w.Client.Watch(ctx, &v1beta1.CanaryList{})
		if err != nil {
			_ = Pause(ctx, 100*time.Millisecond) // the loop looks at the context itself
			continue
		}
		for e := range canaries.ResultChan() {
			if c, ok := e.Object.(*v1beta1.Canary); ok {
				w.saw(c)
			}
		}
	}
}

func (w *World) saw(c *v1beta1.Canary) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[called(c.ObjectMeta)] = sighting{c.Status, time.Now()}
	close(w.news)
	w.news = make(chan struct{})
}

// Await returns when a canary was first seen in a state.
func (w *World) Await(ctx context.Context, name, what string, is func(*v1beta1.CanaryStatus) bool) (time.Time, error) {
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

// Create creates applications, and namespaces that are missing.
func (w *World) Create(ctx context.Context, apps ...App) error {
	for _, app := range apps {
		if app.Namespace == "" {
			app.Namespace = Namespace
		}
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: app.Namespace}}
		if err := w.Client.Create(ctx, ns); client.IgnoreAlreadyExists(err) != nil {
			return err
		}
		for _, o := range app.objects() {
			if err := w.Client.Create(ctx, o); err != nil {
				return fmt.Errorf("create %s: %w", app.Name, err)
			}
		}
	}
	return nil
}

// Rests waits until a canary is at rest and everything has been told.
func (w *World) Rests(ctx context.Context, name string) error {
	_, err := w.Await(ctx, name, "at rest", func(s *v1beta1.CanaryStatus) bool {
		n := len(s.Journal)
		return (s.Phase == v1beta1.PhaseInitialized || s.Phase == v1beta1.PhaseSucceeded) && n > 0 && s.Told >= s.Journal[n-1].Transition && len(s.Sinks) == 0
	})
	return err
}

// SetImage changes the image of an application.
func (w *World) SetImage(ctx context.Context, name, image string) error {
	d := &appsv1.Deployment{ObjectMeta: meta(name)}
	patch := fmt.Sprintf(`{"spec":{"template":{"spec":{"containers":[{"name":"app","image":%q}]}}}}`, image)
	return w.Client.Patch(ctx, d, client.RawPatch("application/strategic-merge-patch+json", []byte(patch)))
}

func called(meta metav1.ObjectMeta) string {
	if meta.Namespace == Namespace {
		return meta.Name
	}
	return meta.Namespace + "/" + meta.Name
}

func meta(name string) metav1.ObjectMeta {
	if ns, name, ok := strings.Cut(name, "/"); ok {
		return metav1.ObjectMeta{Namespace: ns, Name: name}
	}
	return metav1.ObjectMeta{Namespace: Namespace, Name: name}
}

// Command gives one as kubectl serin does.
func (w *World) Command(ctx context.Context, name, text string) error {
	c := &v1beta1.Canary{ObjectMeta: meta(name)}
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, v1beta1.CommandAnnotation, text)
	return w.Client.Patch(ctx, c, client.RawPatch("application/merge-patch+json", []byte(patch)))
}

// Pause waits, or returns the context's error.
func Pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
