package gatewayapi

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/metrics"
	"github.com/serin-dev/serin/router"
)

func exact(name, value string) map[string]v1beta1.StringMatch {
	return map[string]v1beta1.StringMatch{name: {Exact: value}}
}

// someRules have a bit of everything.
var someRules = v1beta1.RouteRules{
	Match:  []v1beta1.CanaryMatch{{Headers: exact("x-canary", "insider")}, {QueryParams: exact("v", "2")}},
	Mirror: v1beta1.Percent(10),
	Affinity: &v1beta1.Affinity{SessionAffinity: v1beta1.SessionAffinity{CookieName: "side", PrimaryCookieName: "home", MaxAge: 60},
		CanaryValue: "c1", PrimaryValue: "p1"},
}

const rewriting = `
  rules:
  - name: app
    matches:
    - {path: {type: PathPrefix, value: /a}, method: GET}
    - {path: {type: PathPrefix, value: /b}}
    timeouts: {request: 3s}
    backendRefs: [{name: podinfo, port: 9898}]
`

func TestRulesStandBeforeAndOnTheBase(t *testing.T) {
	w := inMemory(t, podinfoRoute+rewriting)
	w.ensure(t, 1)
	w.set(t, router.Traffic{Weights: router.Percent(20), Rules: someRules}, 2)
	const picked = `timeouts: {request: 3s}
    backendRefs: [{group: "", kind: Service, name: podinfo-SIDE, port: 9898, weight: 101}]
    matches:
`
	toCanary, toPrimary := strings.ReplaceAll(picked, "SIDE", "canary"), strings.ReplaceAll(picked, "SIDE", "primary")
	const mirror = `
    filters: [{type: RequestMirror, requestMirror: {percent: 10, backendRef: {group: "", kind: Service, name: podinfo-canary, port: 9898}}}]
`
	cookie := func(value string) string {
		return fmt.Sprintf(`headers: [{name: cookie, type: RegularExpression, value: '^(?:.*;\s*)?(?:%s)(?:\s*;.*)?$'}]`, value)
	}
	sets := func(value string) string {
		return fmt.Sprintf("filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: Set-Cookie, value: %s; Max-Age=60}]}}]", value)
	}
	wantSpec(t, w.read(t), `
  parentRefs: [{name: shop, namespace: infra}]
  rules:
  - `+toCanary+`
    - {path: {type: PathPrefix, value: /a}, method: GET, headers: [{name: x-canary, type: Exact, value: insider}]}
    - {path: {type: PathPrefix, value: /a}, method: GET, queryParams: [{name: v, type: Exact, value: "2"}]}
    - {path: {type: PathPrefix, value: /b}, headers: [{name: x-canary, type: Exact, value: insider}]}
    - {path: {type: PathPrefix, value: /b}, queryParams: [{name: v, type: Exact, value: "2"}]}
  - `+toCanary+`
    - {path: {type: PathPrefix, value: /a}, method: GET, `+cookie("side=c1")+`}
    - {path: {type: PathPrefix, value: /b}, `+cookie("side=c1")+`}
  - `+toPrimary+`
    - {path: {type: PathPrefix, value: /a}, method: GET, `+cookie("home=p1")+`}
    - {path: {type: PathPrefix, value: /b}, `+cookie("home=p1")+`}
    `+mirror+`
  - name: app
    timeouts: {request: 3s}
    matches:
    - {path: {type: PathPrefix, value: /a}, method: GET}
    - {path: {type: PathPrefix, value: /b}}
    backendRefs:
    - {group: "", kind: Service, name: podinfo-primary, port: 9898, weight: 80, `+sets("home=p1")+`}
    - {group: "", kind: Service, name: podinfo-canary, port: 9898, weight: 20, `+sets("side=c1")+`}
    `+mirror)
}

// A rule that replaces a prefix of the path can have one match only, which a real server holds.
func TestAPrefixIsReplacedInEachRule(t *testing.T) {
	w := onServer(t)
	w.wish(t, `{port: 9898, gatewayRefs: [{name: x}], match: [{uri: {prefix: /api}}], rewrite: {uri: /, type: ReplacePrefixMatch}}`)
	w.ensure(t, 1)
	w.set(t, router.Traffic{Weights: router.Percent(0), Rules: v1beta1.RouteRules{Match: someRules.Match}}, 2)
	if n := len(rulesOf(w.read(t))); n != 3 {
		t.Errorf("the route has %d rules, want one for each entry and the base", n)
	}
	if st := w.state(t); st.Rules != (v1beta1.RouteRules{Match: someRules.Match}).Digest() {
		t.Errorf("rules %q stand", st.Rules)
	}
}

func TestMethodsByExpression(t *testing.T) {
	w := onServer(t)
	w.ensure(t, 1)
	post := v1beta1.CanaryMatch{Method: &v1beta1.StringMatch{Prefix: "P"}}
	w.set(t, router.Traffic{Weights: router.Percent(0), Rules: v1beta1.RouteRules{Match: []v1beta1.CanaryMatch{post}}}, 2)
	var methods []any
	matches, _ := rulesOf(w.read(t))[0]["matches"].([]any)
	for _, m := range matches {
		methods = append(methods, m.(map[string]any)["method"])
	}
	if diff := cmp.Diff([]any{"POST", "PUT", "PATCH"}, methods); diff != "" {
		t.Errorf("methods (-want +got):\n%s", diff)
	}
}

// A request that no rule of the route takes must not get one by a match of the analysis.
func TestAMatchThatNothingMeetsMakesNoRule(t *testing.T) {
	w := inMemory(t, podinfoRoute+"  rules:\n  - matches: [{method: GET}]\n    backendRefs: [{name: podinfo, port: 9898}]\n")
	w.ensure(t, 1)
	post := v1beta1.CanaryMatch{Method: &v1beta1.StringMatch{Exact: "POST"}}
	w.set(t, router.Traffic{Weights: router.Percent(0), Rules: v1beta1.RouteRules{Match: []v1beta1.CanaryMatch{post}}}, 2)
	if n := len(rulesOf(w.read(t))); n != 1 {
		t.Errorf("the route has %d rules, want the base alone", n)
	}
}

func TestRulesThatCannotBeWritten(t *testing.T) {
	many := func(n int) (all []v1beta1.CanaryMatch) {
		for i := range n {
			all = append(all, v1beta1.CanaryMatch{Headers: exact("x", fmt.Sprint(i))})
		}
		return all
	}
	matching := func(m ...v1beta1.CanaryMatch) v1beta1.RouteRules { return v1beta1.RouteRules{Match: m} }
	base := func(fields string) string {
		return podinfoRoute + "  rules:\n  - " + fields + "\n    backendRefs: [{name: podinfo, port: 9898}]\n"
	}
	for name, tc := range map[string]struct {
		route  string
		rules  v1beta1.RouteRules
		reason string
		words  string
	}{
		"more matches than a rule can have": {
			base("matches: [{method: GET}, {method: PUT}, {method: POST}, {method: HEAD}, {method: PATCH}]"), matching(many(16)...),
			"TooManyMatches", "2 rules with 85 matches, up to 80 in one; 16, 128 and 64 are the most",
		},
		"more rules than a route can have": {
			base("matches: [{path: {type: PathPrefix, value: /a}}]\n    filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}]"),
			matching(many(16)...), "TooManyMatches", "17 rules",
		},
		"two comparisons of one header": {
			base("matches: [{headers: [{name: X, value: a}]}]"), matching(many(1)...), "NotExpressible", "already compares x",
		},
		"a header of cookies and cookies": {
			base("name: app"), matching(v1beta1.CanaryMatch{Headers: exact("Cookie", "a=b"), Cookies: exact("c", "d")}), "NotExpressible", "entry 0 of analysis.match",
		},
		"an expression that is none": {
			base("name: app"), matching(v1beta1.CanaryMatch{Headers: map[string]v1beta1.StringMatch{"x": {Regex: "("}}}), "NotExpressible", "error parsing regexp",
		},
		"no such method": {
			base("name: app"), matching(v1beta1.CanaryMatch{Method: &v1beta1.StringMatch{Exact: "BREW"}}), "NotExpressible", "method is none of",
		},
		"a cookie that the user sets": {
			podinfoRoute + "  rules:\n  - backendRefs: [{name: podinfo, port: 9898, filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: set-cookie, value: x=y}]}}]}]\n",
			v1beta1.RouteRules{Affinity: someRules.Affinity}, "CookieTaken", "already adds the header Set-Cookie",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := inMemory(t, tc.route)
			w.ensure(t, 1)
			before := w.writes
			err := w.Set(t.Context(), w.target, router.Traffic{Weights: router.Percent(0), Rules: tc.rules}, 2)
			nr := notReady(err)
			if nr == nil || nr.Problem.Reason != tc.reason || !strings.Contains(nr.Problem.Message, tc.words) || nr.RetryAfter != 0 {
				t.Errorf("Set returns %v, want %s: …%s…", err, tc.reason, tc.words)
			}
			if w.writes != before {
				t.Error("something was written")
			}
		})
	}
}

// A user's filter for headers of answers is shared with the cookie, and keeps what it has.
func TestCookiesBesideTheUsersHeaders(t *testing.T) {
	w := inMemory(t, podinfoRoute+"  rules:\n  - backendRefs: [{name: podinfo, port: 9898, filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {add: [{name: x, value: z}]}}]}]\n")
	w.ensure(t, 1)
	before := w.read(t).Object["spec"]
	affinity := v1beta1.RouteRules{Affinity: &v1beta1.Affinity{SessionAffinity: v1beta1.SessionAffinity{CookieName: "side"}, CanaryValue: "c1"}}
	w.set(t, router.Traffic{Weights: router.Percent(0), Rules: affinity}, 2)
	base := rulesOf(w.read(t))[1]
	want := []any{map[string]any{"name": "x", "value": "z"}, map[string]any{"name": "Set-Cookie", "value": "side=c1"}}
	if diff := cmp.Diff(want, addedBy(filtersOf(base.backends()[1])[0])); diff != "" {
		t.Errorf("headers of the canary's answers (-want +got):\n%s", diff)
	}
	w.set(t, router.Traffic{Weights: router.Percent(0)}, 3)
	if diff := cmp.Diff(before, w.read(t).Object["spec"]); diff != "" {
		t.Errorf("without rules the route is not what it was (-want +got):\n%s", diff)
	}
}

// The port of rules that pick requests follows the target's, as the base's does.
func TestEnsureRepairsRulesThatPick(t *testing.T) {
	w := inMemory(t)
	w.ensure(t, 1)
	w.set(t, router.Traffic{Weights: router.Percent(0), Rules: v1beta1.RouteRules{Match: someRules.Match}}, 2)
	w.target.Port = 80
	w.ensure(t, 3)
	for _, r := range rulesOf(w.read(t)) {
		for _, b := range r.backends() {
			if b["port"] != int64(80) {
				t.Errorf("backend %v", b)
			}
		}
	}
	if st := w.state(t); st.Rules != (v1beta1.RouteRules{Match: someRules.Match}).Digest() {
		t.Errorf("rules %q stand", st.Rules)
	}
}

func TestAnUnreadableNote(t *testing.T) {
	w := inMemory(t)
	w.ensure(t, 1)
	w.alter(t, func(u *unstructured.Unstructured) { u.SetAnnotations(map[string]string{rulesAnnotation: "{"}) })
	if st := w.state(t); st.Rules != editedRules {
		t.Errorf("rules %q stand, want %q", st.Rules, editedRules)
	}
	w.set(t, router.Traffic{Weights: router.Percent(0)}, 2)
	if st := w.state(t); st.Rules != "" {
		t.Errorf("rules %q stand", st.Rules)
	}
}

func TestWhatAnImplementationLacks(t *testing.T) {
	for controller, want := range map[string]router.Features{
		"traefik.io/gateway-controller":        {Affinity: true},
		"projectcontour.io/gateway-controller": {Mirror: true, Affinity: true},
		"istio.io/gateway-controller":          {Mirror: true, MirrorShare: true, Affinity: true},
		"example.com/of-ones-own":              {},
	} {
		t.Run(controller, func(t *testing.T) {
			w := inMemory(t)
			w.ensure(t, 1)
			if st := w.state(t); st.Features != nil {
				t.Errorf("before anybody serves the route it is known to do %+v", st.Features)
			}
			w.report(t, controller, accepted())
			got := w.state(t).Features
			want.Weights, want.Tenths, want.Headers, want.QueryParams, want.Methods, want.ServiceFields = true, true, true, true, true, serviceFields
			if diff := cmp.Diff(&want, got); diff != "" {
				t.Errorf("features (-want +got):\n%s", diff)
			}
			err := w.Set(t.Context(), w.target, router.Traffic{Weights: router.Percent(0), Rules: v1beta1.RouteRules{Mirror: v1beta1.FullWeight}}, 2)
			if want.Mirror != (err == nil) {
				t.Errorf("Set with a mirror returns %v", err)
			}
			if nr := notReady(err); nr != nil && !strings.HasPrefix(nr.Problem.Message, "HTTPRoute apps/podinfo is served by "+controller+": ") {
				t.Errorf("it says %s", nr.Problem.Message)
			}
		})
	}
}

// promQL is what is asked of a selector.
func promQL(s router.Selector) string { return metrics.Selector(s).String() }

func TestTelemetry(t *testing.T) {
	const traefik = `service=~"httproute-apps-podinfo-gw-.+-svc-apps-podinfo-canary-[0-9]+@kubernetesgateway|apps-podinfo-canary-http-9898@kubernetesgateway"`
	for controller, want := range map[string][2]string{
		"traefik.io/gateway-controller": {`traefik_service_requests_total{` + traefik + `}`,
			`1000 * histogram_quantile(0.99, sum(rate(traefik_service_request_duration_seconds_bucket{` + traefik + `}[{{ interval }}])) by (le))`},
		"projectcontour.io/gateway-controller": {`envoy_cluster_upstream_rq_total{envoy_cluster_name=~"apps_podinfo-canary_9898"}`,
			`histogram_quantile(0.99, sum(rate(envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name=~"apps_podinfo-canary_9898"}[{{ interval }}])) by (le))`},
		"example.com/of-ones-own": {"",
			`1000 * histogram_quantile(0.99, sum(rate(http_request_duration_seconds_bucket{kubernetes_namespace="{{ namespace }}",kubernetes_pod_name=~"{{ target }}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)?"}[{{ interval }}])) by (le))`},
	} {
		w := inMemory(t)
		w.ensure(t, 1)
		w.report(t, controller, accepted())
		got := w.Telemetry(w.target)
		if diff := cmp.Diff(want, [2]string{promQL(got.CanaryRequests), got.Latency}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", controller, diff)
		}
	}
}
