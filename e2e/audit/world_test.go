package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/e2e/internal/bare"
	"github.com/serin-dev/serin/pkg/revision"
)

const (
	// root is the checkout.
	root = "../.."
	// patience bounds every wait.
	patience = 2 * time.Minute
)

// The applications of testdata/world.yaml, by their kinds.
var apps = map[string]string{"web": "Deployment", "routed": "Deployment", "scaled": "Deployment", "agent": "DaemonSet", "led": "Service"}

// world is an API server with an install on it and users who roll out in one namespace.
type world struct {
	*testing.T
	client.Client
	server     *bare.Server
	url        string
	ns, shared string
	binary     string
	kubeconfig string
	log        string
	// metrics is the address of the operator's own, certs what they are shown with.
	metrics, certs string
}

// start starts the API server, with every kind that the operator may know, and makes namespaces.
func start(t *testing.T, ns, shared string, others ...string) *world {
	t.Helper()
	dir := t.TempDir()
	server, err := bare.Start(dir, root, "audit")
	must(t, err)
	stub := bare.StartPrometheus()
	t.Cleanup(func() {
		stub.Close()
		if err := server.Stop(); err != nil {
			t.Errorf("stop the API server: %v", err)
		}
	})
	_, err = envtest.InstallCRDs(server.Config, envtest.CRDInstallOptions{ErrorIfPathMissing: true, Paths: []string{
		filepath.Join(root, "controllers", "canary", "testdata", "crds"), routes(t)}})
	must(t, err)
	s := runtime.NewScheme()
	must(t, scheme.AddToScheme(s))
	must(t, v1beta1.AddToScheme(s))
	c, err := client.New(server.Config, client.Options{Scheme: s})
	must(t, err)
	w := &world{T: t, Client: c, server: server, url: stub.URL, ns: ns, shared: shared, binary: built(t), log: filepath.Join(dir, "serin.log")}
	for _, n := range append(others, ns, shared) {
		must(t, client.IgnoreAlreadyExists(c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: n}})))
	}
	return w
}

// routes is the CRD of HTTPRoutes in the Gateway API's module.
func routes(t *testing.T) string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api")
	list.Dir = root
	out, err := list.Output()
	must(t, err)
	return filepath.Join(strings.TrimSpace(string(out)), "config", "crd", "standard", "gateway.networking.k8s.io_httproutes.yaml")
}

// binary is the operator, built once for all tests.
var binary struct {
	sync.Mutex
	dir string
}

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard()) // what the stand-ins say
	code := m.Run()
	if err := os.RemoveAll(binary.dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func built(t *testing.T) string {
	t.Helper()
	binary.Lock()
	defer binary.Unlock()
	path := filepath.Join(binary.dir, "serin")
	if binary.dir == "" {
		dir, err := os.MkdirTemp("", "audit") //nolint:usetesting // it outlives the first test that needs it
		must(t, err)
		binary.dir, path = dir, filepath.Join(dir, "serin")
		must(t, bare.Build(t.Context(), root, path))
	}
	return path
}

// create creates what testdata/world.yaml has.
func (w *world) create() {
	w.Helper()
	text, err := os.ReadFile("testdata/world.yaml")
	must(w.T, err)
	manifests := strings.NewReplacer("${ns}", w.ns, "${shared}", w.shared, "${url}", w.url).Replace(string(text))
	for _, u := range decode(w.T, manifests) {
		must(w.T, w.Create(w.Context(), u))
	}
}

// plays lets users do everything for which the operator has a right: adopt, roll out, change
// configuration, command, abort, delete; and an uninstall at the end. Somebody else scrapes meanwhile.
func (w *world) plays(c *chart, scrapes func()) {
	w.Helper()
	w.create()
	op, err := bare.StartOperator(context.WithoutCancel(w.Context()), w.binary, w.log, w.kubeconfig, w.url, c.args(w.T)...)
	must(w.T, err)
	stop := sync.OnceFunc(op.Stop)
	w.Cleanup(func() {
		stop()
		if text, _ := os.ReadFile(w.log); w.Failed() {
			w.Logf("the operator's log ends with\n%s", text[max(0, len(text)-6000):])
		}
	})
	for name := range apps {
		w.until(name, v1beta1.PhaseInitialized, 0)
	}
	scrapes()
	w.attaches("routed")
	w.rollsOut()
	w.touches("web")
	w.changes()
	stop()
	w.uninstalls(c)
}

// attaches says what the controller of a Gateway says of a route.
func (w *world) attaches(name string) {
	w.Helper()
	route := &unstructured.Unstructured{}
	route.SetAPIVersion("gateway.networking.k8s.io/v1")
	route.SetKind("HTTPRoute")
	must(w.T, w.Get(w.Context(), client.ObjectKey{Namespace: w.ns, Name: name}, route))
	refs, _, _ := unstructured.NestedSlice(route.Object, "spec", "parentRefs")
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"parents": []any{map[string]any{
		"parentRef": refs[0], "controllerName": "gateway.test/controller", "conditions": []any{map[string]any{
			"type": "Accepted", "status": "True", "reason": "Accepted", "message": "", "observedGeneration": route.GetGeneration(), "lastTransitionTime": metav1.Now()}}}}}})
	must(w.T, err)
	must(w.T, w.Status().Patch(w.Context(), route, client.RawPatch(types.MergePatchType, patch)))
}

func (w *world) rollsOut() {
	w.Helper()
	for name, kind := range apps {
		if kind == "Service" {
			w.patch("v1", kind, name, `{"spec":{"selector":{"version":"2"}}}`)
		} else {
			w.setImage(name, "app:2")
		}
	}
	for name := range apps {
		w.until(name, v1beta1.PhaseSucceeded, 1)
	}
}

// touches gives a ConfigMap another version with the same contents, which is noted on the snapshot.
func (w *world) touches(name string) {
	w.Helper()
	w.patch("v1", "ConfigMap", name, `{"metadata":{"annotations":{"touched":"true"}}}`)
	touched := &corev1.ConfigMap{}
	must(w.T, w.Get(w.Context(), client.ObjectKey{Namespace: w.ns, Name: name}, touched))
	w.eventually("the new version is noted", func() (bool, string) {
		var snapshots appsv1.ControllerRevisionList
		must(w.T, w.List(w.Context(), &snapshots, client.InNamespace(w.ns), client.MatchingLabels{v1beta1.CanaryLabel: name}))
		return slices.ContainsFunc(snapshots.Items, func(r appsv1.ControllerRevision) bool {
			return strings.Contains(r.Annotations[revision.VersionsAnnotation], touched.ResourceVersion)
		}), story(w.canary(name))
	})
}

// changes are another revision by a ConfigMap, one that is aborted, and a Canary that goes.
func (w *world) changes() {
	w.Helper()
	w.patch("v1", "ConfigMap", "web", `{"data":{"color":"red"}}`)
	agent := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: w.ns, Name: "agent"}}
	must(w.T, w.Delete(w.Context(), agent))
	w.setImage("routed", "app:3")
	w.until("routed", v1beta1.PhaseProgressing, 2)
	w.command("routed", "abort id=1")
	w.until("routed", v1beta1.PhaseFailed, 2)
	w.until("web", v1beta1.PhaseSucceeded, 2)
	w.eventually("Canary agent is gone", func() (bool, string) {
		err := w.Get(w.Context(), client.ObjectKeyFromObject(agent), agent)
		return apierrors.IsNotFound(err), story(agent)
	})
}

// uninstalls runs the chart's Job without an operator, so that it does all the work.
func (w *world) uninstalls(c *chart) {
	w.Helper()
	job := exec.CommandContext(w.Context(), w.binary, c.releaseArgs(w.T)...)
	job.Env = append(os.Environ(), "KUBECONFIG="+w.kubeconfig, "POD_NAMESPACE="+c.home)
	if out, err := job.CombinedOutput(); err != nil {
		w.Fatalf("the Job of an uninstall: %v\n%s", err, out)
	}
}

func (w *world) setImage(name, image string) {
	w.Helper()
	w.patch("apps/v1", apps[name], name, fmt.Sprintf(`[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":%q}]`, image))
}

func (w *world) command(name, text string) {
	w.Helper()
	w.patch("serin.dev/v1beta1", "Canary", name, fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, v1beta1.CommandAnnotation, text))
	id := text[strings.Index(text, "id=")+3:]
	w.eventually(name+" answers "+text, func() (bool, string) {
		c := w.canary(name)
		return c.Status.Command != nil && c.Status.Command.ID == id, story(c)
	})
}

func (w *world) patch(version, kind, name, patch string) {
	w.Helper()
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(version)
	u.SetKind(kind)
	u.SetNamespace(w.ns)
	u.SetName(name)
	how := types.MergePatchType
	if strings.HasPrefix(patch, "[") {
		how = types.JSONPatchType
	}
	must(w.T, w.Patch(w.Context(), u, client.RawPatch(how, []byte(patch))))
}

func (w *world) canary(name string) *v1beta1.Canary {
	w.Helper()
	c := &v1beta1.Canary{}
	must(w.T, w.Get(w.Context(), client.ObjectKey{Namespace: w.ns, Name: name}, c))
	return c
}

// until waits for a phase of a rollout, 0 for before the first.
func (w *world) until(name string, phase v1beta1.Phase, rollout int64) {
	w.Helper()
	w.eventually(fmt.Sprintf("%s is %s in rollout %d", name, phase, rollout), func() (bool, string) {
		c := w.canary(name)
		number := int64(0)
		if c.Status.Rollout != nil {
			number = c.Status.Rollout.Number
		}
		return c.Status.Phase == phase && number == rollout, story(c)
	})
}

func (w *world) eventually(what string, is func() (bool, string)) {
	w.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		ok, story := is()
		if ok {
			return
		}
		if time.Now().After(end) {
			w.Fatalf("after %s not yet: %s\n%s", patience, what, story)
		}
	}
}

// story is what a failed test's reader wants to know of a Canary.
func story(c *v1beta1.Canary) string {
	var b strings.Builder
	for _, e := range c.Status.Journal {
		fmt.Fprintf(&b, "%s: %s. %s\n", e.Reason, e.What, e.Next)
	}
	for _, cond := range c.Status.Conditions {
		fmt.Fprintf(&b, "%s=%s %s: %s\n", cond.Type, cond.Status, cond.Reason, cond.Message)
	}
	fmt.Fprintf(&b, "phase %s, rollout %+v", c.Status.Phase, c.Status.Rollout)
	return b.String()
}
