package gatewayapi

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/apitest"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/internal/object"
)

func TestMain(m *testing.M) { apitest.Main(m) }

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
}

// inMemory makes a world on controller-runtime's fake client with these objects, in namespace apps.
func inMemory(t *testing.T, manifests ...string) *world {
	t.Helper()
	builder := fake.NewClientBuilder().WithScheme(newScheme(t)).WithRESTMapper(mapper()).WithReturnManagedFields()
	for _, m := range manifests {
		builder.WithObjects(parse(t, m))
	}
	return newWorld(t, builder.Build(), "apps")
}

// onServer makes a world in a new namespace of a real API server with the real CRDs.
func onServer(t *testing.T) *world {
	t.Helper()
	c, err := client.NewWithWatch(server(t), client.Options{Scheme: newScheme(t)})
	must(t, err)
	return newWorld(t, c, apitest.Namespace(t, c))
}

var installed bool

// server starts the API server and installs the CRDs into it once.
func server(t *testing.T) *rest.Config {
	t.Helper()
	if installed {
		return apitest.Start(t)
	}
	cfg := apitest.Start(t, filepath.Join(module(), "config", "crd", "standard"))
	installed = true
	return cfg
}

// module is the folder of the Gateway API's module, with the CRDs that its types are made for.
var module = sync.OnceValue(func() string {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(string(out))
})

func newScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	must(t, v1beta1.AddToScheme(s))
	must(t, corev1.AddToScheme(s))
	s.AddKnownTypeWithName(httpRoutes, &unstructured.Unstructured{})
	s.AddKnownTypeWithName(httpRoutes.GroupVersion().WithKind("HTTPRouteList"), &unstructured.UnstructuredList{})
	metav1.AddToGroupVersion(s, httpRoutes.GroupVersion())
	return s
}

func mapper() meta.RESTMapper {
	m := meta.NewDefaultRESTMapper(nil)
	m.Add(httpRoutes, meta.RESTScopeNamespace)
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
		Service: v1beta1.CanaryService{
			Port:        9898,
			GatewayRefs: []v1beta1.GatewayReference{{Name: "public", Namespace: "infra"}},
			Hosts:       []string{"app.example.com"},
		},
	}}
	r, err := New(interceptor.NewClient(raw, w.funcs()))
	must(t, err)
	w.Router = r.(*Router)
	w.now = func() time.Time { return time.Now().Add(w.offset) }
	return w
}

// funcs count and delay what the router writes. A verb that it has no use for fails.
func (w *world) funcs() interceptor.Funcs {
	return interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if err := w.write(); err != nil {
				return err
			}
			// The client in memory leaves it out; a server sets its own.
			o.SetCreationTimestamp(metav1.NewTime(w.now()))
			return c.Create(ctx, o, opts...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			if err := w.write(); err != nil {
				return err
			}
			return c.Patch(ctx, o, p, opts...)
		},
		Delete: func(context.Context, client.WithWatch, client.Object, ...client.DeleteOption) error {
			return errors.New("the router deletes something")
		},
		Update: func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error {
			return errors.New("the router overwrites something")
		},
	}
}

func (w *world) write() error {
	w.writes++
	if hook := w.hook; hook != nil {
		w.hook = nil
		hook()
	}
	return w.fault
}

// read returns the route as it stands.
func (w *world) read(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	u := object.New(httpRoutes)
	must(t, w.raw.Get(t.Context(), names{w.target}.routeKey(), u))
	return u
}

// alter changes the route as another tool does: reads it, changes it, writes all of it.
func (w *world) alter(t *testing.T, change func(*unstructured.Unstructured)) {
	t.Helper()
	u := w.read(t)
	change(u)
	must(t, w.raw.Update(t.Context(), u, client.FieldOwner("kubectl-edit")))
}

// report writes into status what a controller says of the route.
func (w *world) report(t *testing.T, controller string, conditions ...metav1.Condition) {
	t.Helper()
	u := w.read(t)
	for i := range conditions {
		conditions[i].ObservedGeneration = u.GetGeneration()
		conditions[i].LastTransitionTime = metav1.Now()
	}
	w.reportAs(t, u, controller, conditions)
}

func (w *world) reportAs(t *testing.T, u *unstructured.Unstructured, controller string, conditions []metav1.Condition) {
	t.Helper()
	list, err := json.Marshal(conditions)
	must(t, err)
	var said []any
	must(t, json.Unmarshal(list, &said))
	refs, _, _ := unstructured.NestedSlice(u.Object, "spec", "parentRefs")
	var parents []any
	for _, ref := range refs {
		parents = append(parents, map[string]any{"parentRef": ref, "controllerName": controller, "conditions": said})
	}
	u.Object["status"] = map[string]any{"parents": parents}
	if err := w.raw.Status().Update(t.Context(), u, client.FieldOwner("controller")); err != nil {
		must(t, w.raw.Update(t.Context(), u)) // in memory nothing says that there is a subresource
	}
}

func says(kind, status, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionStatus(status), Reason: reason, Message: message}
}

func accepted() metav1.Condition { return says("Accepted", "True", "Accepted", "") }

func (w *world) ensure(t *testing.T, s router.Stamp) {
	t.Helper()
	must(t, w.Ensure(t.Context(), w.target, s))
}

func (w *world) set(t *testing.T, tr router.Traffic, s router.Stamp) {
	t.Helper()
	must(t, w.Set(t.Context(), w.target, tr, s))
}

func (w *world) state(t *testing.T) router.State {
	t.Helper()
	st, err := w.Get(t.Context(), w.target)
	must(t, err)
	return st
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

func notReady(err error) *router.NotReady {
	nr, _ := errors.AsType[*router.NotReady](err)
	return nr
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
