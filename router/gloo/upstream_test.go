package gloo

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/gloo/api"
	"github.com/serin-dev/serin/router/internal/object"
)

const source = `
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {name: settings, namespace: gloo-system, labels: {team: blue}}
spec:
  kube: {serviceName: other, serviceNamespace: gloo-system, servicePort: 1, selector: {a: b}}
  ignoreHealthOnHostRemoval: true
  sslConfig: {sni: podinfo, secretRef: {name: tls, namespace: apps}}
  circuitBreakers: {maxConnections: 5, maxRequests: 10}
  connectionConfig: {connectTimeout: 2s}
  loadBalancerConfig: {leastRequest: {choiceCount: 3}}
  useHttp2: true
  initialStreamWindowSize: 65535
  initialConnectionWindowSize: 65536
  httpProxyHostname: proxy.example.com
`

func follow(w *world, namespace, name string) {
	w.target.Upstream = &v1beta1.CrossNamespaceObjectReference{Kind: "Upstream", Namespace: namespace, Name: name}
}

func TestUpstreamRef(t *testing.T) {
	w := inMemory(t, source)
	follow(w, "gloo-system", "settings")
	w.ensure(t, 1)

	wanted := parse(t, source).Object["spec"].(map[string]any)
	wantFollowed := func(when string) {
		t.Helper()
		for _, s := range sides {
			spec := w.readUpstream(t, s).Object["spec"].(map[string]any)
			for _, f := range api.Followed {
				if diff := cmp.Diff(wanted[f], spec[f]); diff != "" {
					t.Errorf("%s of the %s %s (-want +got):\n%s", f, s, when, diff)
				}
			}
			if spec["ignoreHealthOnHostRemoval"] != nil {
				t.Error("a field that is not followed was copied")
			}
			if kube := spec["kube"].(map[string]any); kube["serviceName"] != "podinfo-"+string(s) {
				t.Errorf("the Service of the source was copied: %v", kube)
			}
		}
	}
	wantFollowed("at first")

	// A change, a removal within a field and the removal of a field are all followed.
	ref := w.read(t, api.Upstream, names{w.target}.sourceKey())
	w.alter(t, ref, func(u *unstructured.Unstructured) {
		unstructured.RemoveNestedField(u.Object, "spec", "circuitBreakers", "maxRequests")
		unstructured.RemoveNestedField(u.Object, "spec", "useHttp2")
		must(t, unstructured.SetNestedField(u.Object, "3s", "spec", "connectionConfig", "connectTimeout"))
	})
	wanted = ref.Object["spec"].(map[string]any)
	w.ensure(t, 2)
	wantFollowed("after a change")

	before := w.writes
	w.ensure(t, 3)
	if w.writes != before {
		t.Errorf("%d writes with nothing to follow", w.writes-before)
	}

	w.target.Upstream, wanted = nil, map[string]any{}
	w.ensure(t, 4)
	wantFollowed("without spec.upstreamRef")
	wantSpec(t, w.readUpstream(t, canary), "kube: {serviceName: podinfo-canary, serviceNamespace: apps, servicePort: 9898}")
}

func TestUpstreamRefThatIsMissing(t *testing.T) {
	w := inMemory(t)
	follow(w, "", "settings")
	nr := notReady(w.Ensure(t.Context(), w.target, 1))
	if nr == nil || nr.Problem.Reason != "UpstreamRefNotFound" || !strings.Contains(nr.Problem.Message, "apps/settings") {
		t.Fatalf("Ensure returns %v, want the missing Upstream by its name", nr)
	}
	if w.writes != 0 {
		t.Errorf("%d writes with settings that are not known", w.writes)
	}
}

// Settings such as TLS must not vanish from under traffic because an object is being replaced.
func TestUpstreamRefThatGoes(t *testing.T) {
	w := inMemory(t, source)
	follow(w, "gloo-system", "settings")
	w.ensure(t, 1)
	must(t, w.raw.Delete(t.Context(), w.read(t, api.Upstream, names{w.target}.sourceKey())))
	before := w.writes
	w.ensure(t, 2)
	if w.writes != before {
		t.Errorf("%d writes because the source went", w.writes-before)
	}
	st := w.state(t)
	if !hasProblem(st, "UpstreamRefNotFound", true) {
		t.Errorf("nothing is said of the missing Upstream: %v", st.Problems)
	}
}

func TestUpstreamRepairs(t *testing.T) {
	w := inMemory(t)
	w.ensure(t, 1)
	w.alter(t, w.readUpstream(t, primary), func(u *unstructured.Unstructured) {
		set := func(v any, path ...string) { must(t, unstructured.SetNestedField(u.Object, v, path...)) }
		set("other", "spec", "kube", "serviceName")
		set(map[string]any{"app": "old"}, "spec", "kube", "selector")
		set("http://x/swagger.json", "spec", "kube", "serviceSpec", "rest", "swaggerInfo", "url")
		set(map[string]any{"maxConnections": int64(7)}, "spec", "circuitBreakers")
		object.SetLabels(u, map[string]string{"team": "blue"})
	})
	w.ensure(t, 2)
	up := w.readUpstream(t, primary)
	wantSpec(t, up, `
  circuitBreakers: {maxConnections: 7}
  kube:
    serviceName: podinfo-primary
    serviceNamespace: apps
    servicePort: 9898
    serviceSpec: {rest: {swaggerInfo: {url: "http://x/swagger.json"}}}
`)
	if up.GetLabels()["team"] != "blue" {
		t.Error("a foreign label is gone")
	}
}

func TestUpstreamOfAnotherCanary(t *testing.T) {
	w := inMemory(t, otherCanary, `
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {name: apps-podinfo-primaryupstream-9898, labels: {serin.dev/canary: other}}
spec: {kube: {serviceName: x, serviceNamespace: apps, servicePort: 1}}
`)
	nr := notReady(w.Ensure(t.Context(), w.target, 1))
	if nr == nil || nr.Problem.Reason != "UpstreamTaken" || w.writes != 0 {
		t.Errorf("Ensure returns %v after %d writes, want a refusal", nr, w.writes)
	}
}

func hasProblem(st router.State, reason string, warning bool) bool {
	for _, p := range st.Problems {
		if p.Reason == reason && p.Warning == warning {
			return true
		}
	}
	return false
}
