package canary_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/net/http2"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/notifier"
	notes "github.com/serin-dev/serin/notifier/fake"
	"github.com/serin-dev/serin/pkg/apitest"
	"github.com/serin-dev/serin/pkg/apitest/standin"
	"github.com/serin-dev/serin/pkg/dial"
	routes "github.com/serin-dev/serin/router/fake"
)

// TestMain runs many tests at once: most of each is waiting for intervals to pass.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})))
	apitest.Main(m)
}

// patient bounds every wait for something that must come; a machine that also compiles is slow.
const patient = 90 * time.Second

// world is a namespace of a real API server with a stand-in for everything behind it, and what a
// user, a proxy, a Prometheus and a Slack would be. Operators are started on it by the test.
type world struct {
	t      *testing.T
	ctx    context.Context
	cfg    *rest.Config
	c      client.Client
	ns     string
	router *routes.Router
	prom   *prometheus
	sink   *notes.Notifier
	images standin.Images
	// mapper is what the operators know kinds by; nil for the usual one.
	mapper func(*rest.Config, *http.Client) (meta.RESTMapper, error)
	// shared is another namespace whose AlertProviders and MetricTemplates the operator sees.
	shared string
	// open are the namespaces whose objects canaries of others may name.
	open []string
	// confined operators know that they see one namespace alone.
	confined bool
	// sees is told of what operators do with a router, before it is done; nil for nobody.
	sees sights
	// hears is told of each message to the sink, before it has it; nil for nobody.
	hears func(notifier.Message)
	// wire is asked before each request of an operator to the API server; it may answer in its place.
	wire func(r *http.Request, send http.RoundTripper) (*http.Response, error)

	// guard, trusted and tokenFile are the operators' for what they call.
	guard     *dial.Guard
	trusted   []string
	tokenFile string
	// own are the operators' own sinks beside the fake one.
	own map[string]notifier.Notifier

	// untracked and secrets are how operators are started from now on: without tracking, and with
	// the right to read Secrets.
	untracked, secrets bool
	// shard is which canaries they handle.
	shard string
}

func newWorld(t *testing.T, crds ...string) *world {
	t.Helper()
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	w := &world{t: t, ctx: ctx, cfg: apitest.Start(t, crds...), router: &routes.Router{}, prom: newPrometheus(), sink: &notes.Notifier{}}
	c, err := client.New(w.cfg, client.Options{Scheme: newScheme()})
	must(t, err)
	w.c = client.WithFieldOwner(client.WithFieldValidation(c, metav1.FieldValidationStrict), "a-user")
	w.ns = apitest.Namespace(t, w.c)
	stopped := make(chan error, 1)
	go func() {
		stopped <- standin.Run(ctx, w.cfg, standin.Options{Namespace: w.ns, Startup: 50 * time.Millisecond, Images: &w.images})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-stopped; err != nil {
			t.Errorf("the stand-in: %v", err)
		}
	})
	return w
}

func newScheme() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1beta1.AddToScheme} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	return s
}

// adopted is a world whose podinfo:6.0.0 an operator has adopted.
func adopted(t *testing.T, edits ...func(*v1beta1.Canary)) (*world, *operator) {
	t.Helper()
	w := newWorld(t)
	w.create(w.deployment("podinfo:6.0.0"), w.service(), w.canary(edits...))
	op := w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	return w, op
}

func (w *world) create(objects ...client.Object) {
	w.t.Helper()
	for _, o := range objects {
		must(w.t, w.c.Create(w.ctx, o))
	}
}

// read fills an object of the world's namespace by its name.
func (w *world) read(name string, o client.Object) {
	w.t.Helper()
	must(w.t, w.look(name, o))
}

// look asks once more where there was no answer: one connection carries all requests of all tests, and now and
// then one of its streams is broken off.
func (w *world) look(name string, o client.Object) error {
	key := client.ObjectKey{Namespace: w.ns, Name: name}
	err := w.c.Get(w.ctx, key, o)
	if stream := (http2.StreamError{}); errors.As(err, &stream) {
		err = w.c.Get(w.ctx, key, o)
	}
	return err
}

func (w *world) find(name string, o client.Object) bool {
	w.t.Helper()
	err := w.look(name, o)
	must(w.t, client.IgnoreNotFound(err))
	return err == nil
}

func (w *world) get() *v1beta1.Canary {
	w.t.Helper()
	c := &v1beta1.Canary{}
	w.read("podinfo", c)
	return c
}

func (w *world) deploymentNamed(name string) *appsv1.Deployment {
	w.t.Helper()
	d := &appsv1.Deployment{}
	w.read(name, d)
	return d
}

// alter changes an object as a user does, whoever else writes to it.
func alter[T client.Object](w *world, name string, o T, change func(T)) {
	w.t.Helper()
	w.eventually("write "+name, func() bool {
		w.read(name, o)
		before := o.DeepCopyObject().(client.Object)
		change(o)
		return w.c.Patch(w.ctx, o, client.MergeFrom(before)) == nil
	})
}

func (w *world) setImage(image string) {
	w.t.Helper()
	alter(w, "podinfo", &appsv1.Deployment{}, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = image })
}

func (w *world) edit(change func(*v1beta1.Canary)) {
	w.t.Helper()
	alter(w, "podinfo", &v1beta1.Canary{}, change)
}

// scale does what kubectl scale does.
func (w *world) scale(name string, replicas int32) {
	w.t.Helper()
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas))
	must(w.t, w.c.SubResource("scale").Patch(w.ctx, w.deploymentNamed(name), patch, client.WithSubResourceBody(&autoscalingv1.Scale{})))
}

// eventually polls until something holds, and shows the canary when it never does.
func (w *world) eventually(what string, holds func() bool) {
	w.t.Helper()
	err := wait.PollUntilContextTimeout(w.ctx, 30*time.Millisecond, patient, true,
		func(context.Context) (bool, error) { return holds(), nil })
	if err != nil {
		w.t.Fatalf("waited in vain until %s\n%s", what, w.story())
	}
}

// stays polls for a while and fails when something ceases to hold.
func (w *world) stays(what string, d time.Duration, holds func() bool) {
	w.t.Helper()
	err := wait.PollUntilContextTimeout(w.ctx, 30*time.Millisecond, d, true,
		func(context.Context) (bool, error) { return !holds(), nil })
	if err == nil {
		w.t.Fatalf("no longer: %s\n%s", what, w.story())
	}
}

func (w *world) reaches(p v1beta1.Phase) {
	w.t.Helper()
	w.eventually("the phase is "+string(p), func() bool { return w.get().Status.Phase == p })
}

// ends waits for the n-th rollout to end and for all of it to be told.
func (w *world) ends(n int) *v1beta1.Canary {
	w.t.Helper()
	w.eventually("a rollout has ended", func() bool {
		s := w.get().Status
		return len(s.History) >= n && s.Rollout.EndedAt != nil && w.toldAll()
	})
	return w.get()
}

func (w *world) takesWeight(weight int32) {
	w.t.Helper()
	w.eventually("the canary has a weight", func() bool { return w.get().Status.CanaryWeight >= v1beta1.Percent(weight) })
}

// toldAll is true when the journal has reached every sink, and that is written down.
func (w *world) toldAll() bool {
	s := w.get().Status
	n := len(s.Journal)
	behind := func(k v1beta1.SinkStatus) bool { return k.Told < s.Journal[n-1].Transition }
	return n > 0 && s.Told >= s.Journal[n-1].Transition && !slices.ContainsFunc(s.Sinks, behind)
}

// events of the operator; the API server has some of its own to tell of Services.
func (w *world) events() []corev1.Event {
	w.t.Helper()
	var l corev1.EventList
	must(w.t, w.c.List(w.ctx, &l, client.InNamespace(w.ns)))
	return slices.DeleteFunc(l.Items, func(e corev1.Event) bool { return e.Source.Component != v1beta1.FieldManager })
}

// reasons counts the events by their reason.
func (w *world) reasons() map[string]int {
	n := map[string]int{}
	for _, e := range w.events() {
		n[e.Reason] += int(e.Count)
	}
	return n
}

func (w *world) sinks() map[string]notifier.Notifier {
	sinks := map[string]notifier.Notifier{"fake": overheard{w.sink, w.hears}}
	maps.Copy(sinks, w.own)
	return sinks
}

// overheard is a sink that tells of a message before it takes it.
type overheard struct {
	notifier.Notifier
	by func(notifier.Message)
}

func (o overheard) Notify(ctx context.Context, m notifier.Message, receipt string) (string, error) {
	if o.by != nil {
		o.by(m)
	}
	return o.Notifier.Notify(ctx, m, receipt)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// stamp is the transition that an object was last written for.
func (w *world) stamp(o client.Object) int64 {
	w.t.Helper()
	n, err := strconv.ParseInt(o.GetAnnotations()[v1beta1.TransitionAnnotation], 10, 64)
	must(w.t, err)
	return n
}
