package gatewayapi

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
)

func emptyMapper() meta.RESTMapper { return meta.NewDefaultRESTMapper(nil) }

const wishes = `
port: 9898
gatewayRefs:
- {name: public, namespace: infra, sectionName: web}
- {group: "", kind: Service, name: podinfo, port: 9898}
hosts: [app.example.com]
timeout: 15s
backendTimeout: 5s
match:
- uri: {prefix: /api}
  method: {exact: GET}
  headers: {x-b: {regex: "v[0-9]"}, x-a: {exact: "1"}}
  queryParams: {q: {suffix: z}}
- uri: {exact: /Case}
  ignoreUriCase: true
  method: {regex: "P(OS|U)T"}
headers:
  request: {set: {x-to: pod}, remove: [x-debug]}
  response: {add: {x-b: "2", x-a: "1"}}
rewrite: {uri: /v2, authority: internal.example.com}
corsPolicy: {allowOrigins: [{exact: "https://example.com"}], allowMethods: [GET], maxAge: 24h, allowCredentials: true}
mirror: [{backendRef: {name: shadow, port: 80}}]
`

func (w *world) wish(t *testing.T, text string) {
	t.Helper()
	w.target.Service = v1beta1.CanaryService{}
	must(t, yaml.UnmarshalStrict([]byte(text), &w.target.Service))
}

// On a real server this also proves that the CRDs know every field that is ever written.
func TestARouteIsMadeOfTheSpec(t *testing.T) {
	for name, world := range map[string]func(t *testing.T) *world{
		"in memory": func(t *testing.T) *world { return inMemory(t) }, "on a server": onServer,
	} {
		t.Run(name, func(t *testing.T) {
			w := world(t)
			w.wish(t, wishes)
			w.target.Metadata = v1beta1.CustomMetadata{Labels: map[string]string{"team": "blue", "app.kubernetes.io/instance": "argo-app"}}
			w.ensure(t, 1)
			// Filters that not every controller knows wait for its first word.
			w.report(t, "istio.io/gateway-controller", accepted())
			w.ensure(t, 2)
			wantSpec(t, w.read(t), `
parentRefs:
- {group: gateway.networking.k8s.io, kind: Gateway, name: public, namespace: infra, sectionName: web}
- {group: "", kind: Service, name: podinfo, port: 9898}
hostnames: [app.example.com]
rules:
- timeouts: {request: 15s, backendRequest: 5s}
  matches:
  - path: {type: PathPrefix, value: /api}
    method: GET
    headers: [{name: x-a, type: Exact, value: "1"}, {name: x-b, type: RegularExpression, value: "^(?:v[0-9])$"}]
    queryParams: [{name: q, type: RegularExpression, value: "^.*z$"}]
  - {path: {type: RegularExpression, value: "(?i)^/Case$"}, method: POST}
  - {path: {type: RegularExpression, value: "(?i)^/Case$"}, method: PUT}
  filters:
  - {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x-to, value: pod}], remove: [x-debug]}}
  - {type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: x-a, value: "1"}, {name: x-b, value: "2"}]}}
  - {type: URLRewrite, urlRewrite: {hostname: internal.example.com, path: {type: ReplaceFullPath, replaceFullPath: /v2}}}
  - {type: CORS, cors: {allowOrigins: ["https://example.com"], allowMethods: [GET], maxAge: 86400, allowCredentials: true}}
  - {type: RequestMirror, requestMirror: {backendRef: {group: "", kind: Service, name: shadow, port: 80}}}
`+strings.ReplaceAll(split, "\n    ", "\n  "))
			if diff := cmp.Diff(map[string]string{"team": "blue", v1beta1.CanaryLabel: "podinfo"}, w.read(t).GetLabels()); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
			if st := w.state(t); len(st.Problems) > 0 {
				t.Errorf("problems %v", st.Problems)
			}
		})
	}
}

func filterTypes(w *world, t *testing.T) string {
	t.Helper()
	var types []string
	for _, r := range rulesOf(w.read(t)) {
		for _, f := range filtersOf(r) {
			types = append(types, f.(map[string]any)["type"].(string))
		}
	}
	return strings.Join(types, " ")
}

// Traefik answers 500 to every request of a rule with a filter that it does not know.
func TestFiltersWaitForTheControllersFirstWord(t *testing.T) {
	w := inMemory(t)
	w.wish(t, wishes)
	w.ensure(t, 1)
	const harmless, all = "RequestHeaderModifier ResponseHeaderModifier URLRewrite", "RequestHeaderModifier ResponseHeaderModifier URLRewrite CORS RequestMirror"
	if got := filterTypes(w, t); got != harmless {
		t.Errorf("before anybody serves the route it has the filters %s", got)
	}
	for controller, want := range map[string]string{
		"traefik.io/gateway-controller": harmless, "projectcontour.io/gateway-controller": harmless + " RequestMirror",
		"istio.io/gateway-controller": all, "example.com/of-ones-own": all,
	} {
		w.report(t, controller, accepted())
		w.ensure(t, 1)
		if got := filterTypes(w, t); got != want {
			t.Errorf("served by %s it has the filters %s, want %s", controller, got, want)
		}
	}
	w.report(t, "traefik.io/gateway-controller", accepted())
	want := "traefik.io/gateway-controller, which serves HTTPRoute apps/podinfo, lacks what spec.service.timeout, spec.service.backendTimeout, spec.service.corsPolicy, spec.service.mirror asks for"
	if st := w.state(t); len(st.Problems) != 1 || st.Problems[0].Message != want || !st.Problems[0].Warning {
		t.Errorf("problems %v, want the warning %s", st.Problems, want)
	}
}

func TestTheSpecIsFollowedAndEditsStay(t *testing.T) {
	w := inMemory(t)
	w.ensure(t, 1)
	w.set(t, router.Traffic{Weights: router.Percent(30)}, 2)
	w.alter(t, func(u *unstructured.Unstructured) {
		must(t, unstructured.SetNestedStringSlice(u.Object, []string{"app.example.com", "www.example.com"}, "spec", "hostnames"))
		rulesOf(u)[0]["timeouts"] = map[string]any{"request": "9s"}
	})
	before := w.writes
	w.ensure(t, 3)
	if w.writes != before {
		t.Error("a user's edit is undone")
	}
	w.target.Service.Match = []v1beta1.HTTPMatch{{URI: &v1beta1.StringMatch{Prefix: "/api"}}}
	w.ensure(t, 4)
	wantSpec(t, w.read(t), `
parentRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: public, namespace: infra}]
hostnames: [app.example.com, www.example.com]
rules:
- timeouts: {request: 9s}
  matches: [{path: {type: PathPrefix, value: /api}}]
`+strings.NewReplacer("\n    ", "\n  ", "weight: 100", "weight: 70", "weight: 0", "weight: 30").Replace(split))
	w.target.Service.Hosts = []string{"*"}
	w.target.Service.Match = nil
	w.ensure(t, 5)
	if hosts, found, _ := unstructured.NestedStringSlice(w.read(t).Object, "spec", "hostnames"); found {
		t.Errorf("hostnames %v, want none: all are asked for", hosts)
	}
}

func TestAUsersRouteIsNotOursToDescribe(t *testing.T) {
	w := inMemory(t, podinfoRoute+"  rules:\n  - backendRefs: [{name: podinfo, port: 9898}]\n")
	w.target.Service.Timeout = "3s"
	w.ensure(t, 1)
	wantSpec(t, w.read(t), "  parentRefs: [{name: shop, namespace: infra}]\n  rules:\n  -"+strings.TrimPrefix(split, "\n   "))
	st := w.state(t)
	if got := reasons(st); !cmp.Equal(got, []string{"FieldsIgnored*", "NotAttached"}) || !strings.Contains(st.Problems[0].Message, "spec.service.gatewayRefs, spec.service.hosts, spec.service.timeout have") {
		t.Errorf("problems %v", st.Problems)
	}
}

func TestWishesThatAnHTTPRouteHasNoWordsFor(t *testing.T) {
	for name, tc := range map[string]struct{ service, reason string }{
		"an origin by pattern": {`{port: 80, gatewayRefs: [{name: x}], corsPolicy: {allowOrigins: [{regex: ".*"}]}}`, "NotExpressible"},
		"no duration":          {`{port: 80, gatewayRefs: [{name: x}], corsPolicy: {maxAge: a day}}`, "NotExpressible"},
		"no such method":       {`{port: 80, gatewayRefs: [{name: x}], match: [{method: {exact: BREW}}]}`, "NotExpressible"},
	} {
		t.Run(name, func(t *testing.T) {
			w := inMemory(t)
			w.wish(t, `{port: 80, gatewayRefs: [{name: x}]}`)
			w.ensure(t, 1)
			w.report(t, "istio.io/gateway-controller", accepted())
			w.wish(t, tc.service)
			if nr := notReady(w.Ensure(t.Context(), w.target, 1)); nr == nil || nr.Problem.Reason != tc.reason {
				t.Errorf("Ensure returns %v", nr)
			}
		})
	}
	w := inMemory(t)
	w.wish(t, `{port: 80, gatewayRefs: [{name: x}], match: [{scheme: {exact: https}, withoutHeaders: {x: {}}, uri: {prefix: /a}}]}`)
	w.ensure(t, 1)
	want := "an HTTPRoute cannot express spec.service.match[0].scheme, spec.service.match[0].withoutHeaders: the entry is met without it"
	if st := w.state(t); len(st.Problems) != 1 || st.Problems[0].Message != want {
		t.Errorf("problems %v", st.Problems)
	}
}

// What the server refuses is the user's to correct: asking again changes nothing.
func TestTheServerRefuses(t *testing.T) {
	w := onServer(t)
	w.wish(t, `{port: 80, gatewayRefs: [{name: x}], timeout: 1.5s}`)
	err := w.Ensure(t.Context(), w.target, 1)
	if nr := notReady(err); nr == nil || nr.Problem.Reason != "RouteRefused" || !strings.Contains(nr.Problem.Message, "spec.rules[0].timeouts.request") {
		t.Errorf("Ensure returns %v, want a problem that names the field", err)
	}
}
