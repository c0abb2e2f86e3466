package gatewayapi

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/internal/object"
)

const podinfoRoute = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: podinfo}
spec:
  parentRefs: [{name: shop, namespace: infra}]
`

// split is how a rule to both sides ends up.
const split = `
    backendRefs:
    - {group: "", kind: Service, name: podinfo-primary, port: 9898, weight: 100}
    - {group: "", kind: Service, name: podinfo-canary, port: 9898, weight: 0}
`

func wantSpec(t *testing.T, u *unstructured.Unstructured, want string) {
	t.Helper()
	body, err := yaml.YAMLToJSON([]byte(want))
	must(t, err)
	spec := &unstructured.Unstructured{}
	must(t, spec.UnmarshalJSON([]byte(`{"kind":"x","apiVersion":"v1","spec":`+string(body)+`}`)))
	if diff := cmp.Diff(spec.Object["spec"], u.Object["spec"]); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
}

func TestGatewayAPIIsMissing(t *testing.T) {
	_, err := New(fake.NewClientBuilder().WithScheme(newScheme(t)).WithRESTMapper(emptyMapper()).Build())
	if nr := notReady(err); nr == nil || nr.Problem.Reason != "GatewayApiNotInstalled" {
		t.Errorf("New returns %v, want a problem", err)
	}
}

// The API server's answer to a write after the CRD was removed.
func TestGatewayAPIIsRemoved(t *testing.T) {
	w := inMemory(t)
	w.wish(t, `{port: 80, gatewayRefs: [{name: x}]}`)
	w.fault = apierrors.NewGenericServerResponse(http.StatusNotFound, http.MethodPost,
		schema.GroupResource{Group: httpRoutes.Group, Resource: "httproutes"}, "podinfo", "404 page not found", 0, true)
	err := w.Ensure(t.Context(), w.target, 1)
	if nr := notReady(err); nr == nil || nr.Problem.Reason != "GatewayApiNotInstalled" || !nr.Problem.Unwatched {
		t.Errorf("Ensure returns %v, want a problem", err)
	}
}

func TestTakingOverARoute(t *testing.T) {
	tests := map[string]struct{ route, want string }{
		"a rule to the apex Service becomes ours, its matches and filters and the other rules stay": {
			route: `
  hostnames: [shop.example.com]
  rules:
  - matches: [{path: {type: PathPrefix, value: /docs}}]
    backendRefs: [{name: docs, port: 9898}]
  - name: app
    matches: [{path: {type: PathPrefix, value: /}}]
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [x-debug]}}]
    timeouts: {request: 3s}
    backendRefs: [{name: podinfo, port: 9898}]
`,
			want: `
  hostnames: [shop.example.com]
  rules:
  - matches: [{path: {type: PathPrefix, value: /docs}}]
    backendRefs: [{name: docs, port: 9898}]
  - name: app
    matches: [{path: {type: PathPrefix, value: /}}]
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [x-debug]}}]
    timeouts: {request: 3s}` + split,
		},
		"every rule to the apex becomes ours, a filter of its backend is both sides'": {
			route: `
  rules:
  - matches: [{path: {type: PathPrefix, value: /a}}]
    backendRefs: [{name: podinfo, port: 9898, filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {remove: [server]}}]}]
  - backendRefs: [{group: "", kind: Service, namespace: apps, name: podinfo, port: 9898, weight: 7}]
`,
			want: `
  rules:
  - matches: [{path: {type: PathPrefix, value: /a}}]
    backendRefs:
    - {group: "", kind: Service, name: podinfo-primary, port: 9898, weight: 100, filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {remove: [server]}}]}
    - {group: "", kind: Service, name: podinfo-canary, port: 9898, weight: 0, filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {remove: [server]}}]}
  -` + strings.TrimPrefix(split, "\n   "),
		},
		"a rule in the middle of a rollout keeps its weights": {
			route: "  rules:\n  -" + strings.TrimPrefix(strings.NewReplacer(": 100", ": 60", ": 0}", ": 40}").Replace(split), "\n   "),
			want:  "  rules:\n  -" + strings.TrimPrefix(strings.NewReplacer(": 100", ": 60", ": 0}", ": 40}").Replace(split), "\n   "),
		},
		"a rule that somebody left to the primary alone gets its canary back": {
			route: "  rules:\n  - backendRefs: [{name: podinfo-primary, port: 9898}]\n",
			want:  "  rules:\n  -" + strings.TrimPrefix(split, "\n   "),
		},
		"a rule of an earlier port follows": {
			route: "  rules:\n  -" + strings.TrimPrefix(strings.ReplaceAll(split, "9898", "80"), "\n   "),
			want:  "  rules:\n  -" + strings.TrimPrefix(split, "\n   "),
		},
		"a rule that picked requests goes with the base that it was for": {
			route: `
  rules:
  - matches: [{headers: [{name: x, value: y}]}]
    backendRefs: [{name: podinfo-canary, port: 9898, weight: 101}]
  - backendRefs: [{name: podinfo, port: 9898}]
`,
			want: "  rules:\n  -" + strings.TrimPrefix(split, "\n   "),
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := inMemory(t, podinfoRoute+tc.route)
			w.ensure(t, 1)
			wantSpec(t, w.read(t), "  parentRefs: [{name: shop, namespace: infra}]\n"+tc.want)
			before := w.writes
			w.ensure(t, 2)
			if w.writes != before {
				t.Error("a second Ensure writes again")
			}
		})
	}
}

func TestRoutesThatAreNotOurs(t *testing.T) {
	for name, backends := range map[string]string{
		"another Service":                "[{name: docs, port: 9898}]",
		"another port":                   "[{name: podinfo, port: 80}]",
		"another namespace":              "[{name: podinfo, namespace: other, port: 9898}]",
		"another kind":                   "[{name: podinfo, kind: TraefikService, group: traefik.io, port: 9898}]",
		"the apex and a Service besides": "[{name: podinfo, port: 9898}, {name: docs, port: 9898}]",
		"nothing":                        "[]",
	} {
		t.Run(name, func(t *testing.T) {
			w := inMemory(t, podinfoRoute+"  rules:\n  - backendRefs: "+backends+"\n")
			err := w.Ensure(t.Context(), w.target, 1)
			if nr := notReady(err); nr == nil || nr.Problem.Reason != "RouteNotOurs" || nr.RetryAfter != 0 || w.writes > 0 {
				t.Errorf("Ensure returns %v after %d writes, want a problem and none", err, w.writes)
			}
			if st := w.state(t); st.Exists {
				t.Error("the route is taken for ours")
			}
		})
	}
}

func TestARouteOfAnotherCanary(t *testing.T) {
	taken := strings.Replace(podinfoRoute, "{name: podinfo}", "{name: podinfo, labels: {serin.dev/canary: other}}", 1) + "  rules:\n  -" + strings.TrimPrefix(split, "\n   ")
	other := "apiVersion: serin.dev/v1beta1\nkind: Canary\nmetadata: {name: other}\nspec: {targetRef: {apiVersion: apps/v1, kind: Deployment, name: other}}\n"
	w := inMemory(t, taken, other)
	if nr := notReady(w.Ensure(t.Context(), w.target, 1)); nr == nil || nr.Problem.Reason != "RouteTaken" {
		t.Errorf("Ensure returns %v", nr)
	}
	if st := w.state(t); st.Exists || len(st.Problems) != 1 {
		t.Errorf("state %+v, want the problem alone", st)
	}
	must(t, w.Release(t.Context(), w.target))
	if w.writes > 0 {
		t.Error("another Canary's route is written to")
	}
	orphaned := inMemory(t, taken)
	orphaned.ensure(t, 1)
	if got := orphaned.read(t).GetLabels()[v1beta1.CanaryLabel]; got != "podinfo" {
		t.Errorf("a route whose Canary is gone belongs to %q", got)
	}
}

func TestNoRouteAndNoGateway(t *testing.T) {
	w := inMemory(t)
	w.target.Service.GatewayRefs = nil
	if nr := notReady(w.Ensure(t.Context(), w.target, 1)); nr == nil || nr.Problem.Reason != "GatewayRefsMissing" {
		t.Errorf("Ensure returns %v", nr)
	}
}

func TestReleaseGivesAUsersRouteBack(t *testing.T) {
	w := inMemory(t, podinfoRoute+`
  rules:
  - matches: [{path: {type: PathPrefix, value: /a}}]
    backendRefs: [{name: podinfo, port: 9898, filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {remove: [server]}}]}]
  - name: rest
    backendRefs: [{name: podinfo, port: 9898, weight: 3}]
`)
	before := w.read(t)
	w.ensure(t, 1)
	w.set(t, router.Traffic{Weights: router.Percent(30), Rules: someRules}, 2)
	must(t, w.Release(t.Context(), w.target))
	if diff := cmp.Diff(before.Object["spec"], w.read(t).Object["spec"]); diff != "" {
		t.Errorf("the released route is not what it was (-want +got):\n%s", diff)
	}
	if u := w.read(t); len(u.GetAnnotations())+len(u.GetLabels()) > 0 {
		t.Errorf("marks are left: %v", u.Object["metadata"])
	}
}

// What stood there is only put back where it still leads to the apex.
func TestReleaseWithoutTheWayBack(t *testing.T) {
	for name, note := range map[string]string{
		"the note is unreadable":       "{",
		"the note is on other rules":   "[[],[]]",
		"the note leads elsewhere now": `[[{"name":"podinfo","port":80}]]`,
	} {
		t.Run(name, func(t *testing.T) {
			w := inMemory(t, podinfoRoute+"  rules:\n  - backendRefs: [{name: podinfo, port: 9898, weight: 3}]\n")
			w.ensure(t, 1)
			w.alter(t, func(u *unstructured.Unstructured) {
				object.SetAnnotations(u, map[string]string{originalAnnotation: note})
			})
			must(t, w.Release(t.Context(), w.target))
			wantSpec(t, w.read(t), `
  parentRefs: [{name: shop, namespace: infra}]
  rules:
  - backendRefs: [{group: "", kind: Service, name: podinfo, port: 9898, weight: 1}]
`)
		})
	}
}

// An earlier tool's owner reference would take the route away with its Canary.
func TestNobodyOwnsTheRoute(t *testing.T) {
	w := inMemory(t, podinfoRoute+"  rules:\n  -"+strings.TrimPrefix(split, "\n   "))
	w.alter(t, func(u *unstructured.Unstructured) {
		u.SetOwnerReferences([]metav1.OwnerReference{
			{APIVersion: "flagger.app/v1beta1", Kind: "Canary", Name: "podinfo", UID: "1"}, {APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "2"},
		})
	})
	w.ensure(t, 1)
	if owners := w.read(t).GetOwnerReferences(); len(owners) != 1 || owners[0].Kind != "ConfigMap" {
		t.Errorf("owners %v", owners)
	}
	// It was made from the same spec: what spec.service says from now on is followed.
	w.target.Service.Hosts = []string{"new.example.com"}
	w.ensure(t, 2)
	if hosts, _, _ := unstructured.NestedStringSlice(w.read(t).Object, "spec", "hostnames"); !cmp.Equal(hosts, []string{"new.example.com"}) {
		t.Errorf("hostnames %v", hosts)
	}
}
