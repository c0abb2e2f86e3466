package gloo

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/apitest"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/gloo/api"
)

func TestMain(m *testing.M) { apitest.Main(m) }

// kinds that an API server of Gloo's has.
var kinds = []schema.GroupVersionKind{api.RouteTable, api.Upstream, api.VirtualService}

// world is an API server, in memory or real, a router on it, and what a test sees and does besides.
type world struct {
	*Router
	// raw writes behind the router's back.
	raw    client.WithWatch
	target router.Target
	offset time.Duration

	// hook runs once before the next write, fault is what each write returns when set.
	hook   func()
	fault  error
	writes int
	bodies []string
}

// inMemory makes a world on controller-runtime's fake client with these objects, in namespace apps.
func inMemory(t *testing.T, manifests ...string) *world {
	t.Helper()
	builder := fake.NewClientBuilder().WithScheme(newScheme(t, kinds...)).WithRESTMapper(mapper(kinds...)).WithReturnManagedFields().
		WithIndex(&v1beta1.Canary{}, router.IndexUpstream, func(o client.Object) []string { return router.UpstreamOf(o.(*v1beta1.Canary)) })
	for _, m := range manifests {
		builder.WithObjects(parse(t, m))
	}
	return newWorld(t, builder.Build(), "apps")
}

// onServer makes a world in a new namespace of a real API server that takes no field it does not know.
func onServer(t *testing.T) *world {
	t.Helper()
	cfg := server(t)
	c, err := client.NewWithWatch(cfg, client.Options{Scheme: newScheme(t)})
	must(t, err)
	return newWorld(t, c, apitest.Namespace(t, c))
}

// server starts the API server and installs the CRDs into it once: Gloo's are a megabyte.
func server(t *testing.T) *rest.Config {
	t.Helper()
	if installed {
		return apitest.Start(t)
	}
	cfg := apitest.Start(t, crds())
	installed = true
	return cfg
}

var installed bool

// crds is the folder with the schemas: our own, or Gloo's where it is named.
func crds() string {
	if dir := os.Getenv(realCRDs); dir != "" {
		return dir
	}
	return "testdata/crds"
}

// realCRDs names a folder with the CRDs of a Gloo release.
const realCRDs = "SERIN_GLOO_CRDS"

func newScheme(t *testing.T, known ...schema.GroupVersionKind) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	must(t, v1beta1.AddToScheme(s))
	must(t, corev1.AddToScheme(s))
	for _, k := range known {
		s.AddKnownTypeWithName(k, &unstructured.Unstructured{})
		s.AddKnownTypeWithName(k.GroupVersion().WithKind(k.Kind+"List"), &unstructured.UnstructuredList{})
		metav1.AddToGroupVersion(s, k.GroupVersion())
	}
	return s
}

func mapper(known ...schema.GroupVersionKind) meta.RESTMapper {
	m := meta.NewDefaultRESTMapper(nil)
	for _, k := range known {
		m.Add(k, meta.RESTScopeNamespace)
	}
	return m
}

func newWorld(t *testing.T, raw client.WithWatch, namespace string) *world {
	t.Helper()
	w := &world{raw: raw, target: router.Target{
		Canary:         types.NamespacedName{Namespace: namespace, Name: "podinfo"},
		Apex:           "podinfo",
		PrimaryService: "podinfo-primary",
		CanaryService:  "podinfo-canary",
		Port:           9898,
	}}
	strict := client.WithFieldValidation(interceptor.NewClient(raw, w.funcs()), metav1.FieldValidationStrict)
	r, err := New(router.Scanning{Client: strict, Indexes: indexes})
	must(t, err)
	w.Router = r.(*Router)
	w.now = func() time.Time { return time.Now().Add(w.offset) }
	return w
}

// funcs count and delay what the router writes, whatever verb it uses.
func (w *world) funcs() interceptor.Funcs {
	return interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if err := w.write(o); err != nil {
				return err
			}
			// The client in memory leaves it out; a server sets its own.
			o.SetCreationTimestamp(metav1.NewTime(w.now()))
			return c.Create(ctx, o, opts...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			body, err := p.Data(o)
			if err != nil {
				return err
			}
			if err := w.write(json.RawMessage(body)); err != nil {
				return err
			}
			return c.Patch(ctx, o, p, opts...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			if err := w.write(o); err != nil {
				return err
			}
			return c.Delete(ctx, o, opts...)
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			if err := w.write(o); err != nil {
				return err
			}
			return c.Update(ctx, o, opts...)
		},
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			if err := w.write(o); err != nil {
				return err
			}
			return c.Apply(ctx, o, opts...)
		},
	}
}

func (w *world) write(body any) error {
	w.writes++
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	w.bodies = append(w.bodies, string(text))
	if hook := w.hook; hook != nil {
		w.hook = nil
		hook()
	}
	return w.fault
}

// pass lets more time pass than anything waits for.
func (w *world) pass() { w.offset += time.Minute }

func (w *world) tableKey() client.ObjectKey { return names{w.target}.tableKey() }

// read returns an object as it stands, or nil.
func (w *world) read(t *testing.T, kind schema.GroupVersionKind, key client.ObjectKey) *unstructured.Unstructured {
	t.Helper()
	u := api.New(kind)
	err := w.raw.Get(t.Context(), key, u)
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	if err != nil {
		return nil
	}
	return u
}

func (w *world) readTable(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	u := w.read(t, api.RouteTable, w.tableKey())
	if u == nil {
		t.Fatalf("there is no RouteTable %s", w.tableKey())
	}
	return u
}

func (w *world) readUpstream(t *testing.T, s side) *unstructured.Unstructured {
	t.Helper()
	key := names{w.target}.upstreamKey(s)
	u := w.read(t, api.Upstream, key)
	if u == nil {
		t.Fatalf("there is no Upstream %s", key)
	}
	return u
}

// upstreams lists the names of all Upstreams of the namespace.
func (w *world) upstreams(t *testing.T) []string {
	t.Helper()
	list := api.NewList(api.Upstream)
	must(t, w.raw.List(t.Context(), list, client.InNamespace(w.target.Canary.Namespace)))
	var found []string
	for _, u := range list.Items {
		found = append(found, u.GetName())
	}
	slices.Sort(found)
	return found
}

// alter changes an object as another tool does: reads it, changes it, writes all of it.
func (w *world) alter(t *testing.T, u *unstructured.Unstructured, change func(*unstructured.Unstructured)) {
	t.Helper()
	change(u)
	must(t, w.raw.Update(t.Context(), u, client.FieldOwner("kubectl-edit")))
}

// ensure lets Ensure take the time that new Upstreams are given.
func (w *world) ensure(t *testing.T, s router.Stamp) {
	t.Helper()
	err := w.Ensure(t.Context(), w.target, s)
	if waiting := notReady(err); waiting != nil && waiting.RetryAfter > 0 {
		w.pass()
		err = w.Ensure(t.Context(), w.target, s)
	}
	must(t, err)
}

func (w *world) state(t *testing.T) router.State {
	t.Helper()
	st, err := w.Get(t.Context(), w.target)
	must(t, err)
	return st
}

// report writes Gloo's verdict into an object's status, as Gloo does: a write of the whole object.
func (w *world) report(t *testing.T, u *unstructured.Unstructured, status map[string]any) {
	t.Helper()
	w.alter(t, u, func(u *unstructured.Unstructured) {
		u.Object["status"] = map[string]any{"statuses": map[string]any{"gloo-system": status}}
	})
}

func parse(t *testing.T, manifest string) *unstructured.Unstructured {
	t.Helper()
	body, err := yaml.YAMLToJSON([]byte(manifest))
	must(t, err)
	u := &unstructured.Unstructured{}
	must(t, u.UnmarshalJSON(body))
	if u.GetNamespace() == "" {
		u.SetNamespace("apps")
	}
	return u
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
