package gloo

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/internal/object"
)

type values = map[string]v1beta1.StringMatch

var (
	matched = v1beta1.RouteRules{Match: []v1beta1.CanaryMatch{
		{Headers: values{"x-b": {Prefix: "a.b"}, "x-a": {Exact: "1"}}, Method: &v1beta1.StringMatch{Exact: "GET"}},
		{QueryParams: values{"v": {}}},
	}}
	mirrored = v1beta1.RouteRules{Mirror: 125}
	kept     = v1beta1.RouteRules{Affinity: &v1beta1.Affinity{
		SessionAffinity: v1beta1.SessionAffinity{CookieName: "side", PrimaryCookieName: "home", Path: "/100%"}, CanaryValue: "c", PrimaryValue: "p",
	}}
)

// follow sets weights of 80/20 and rules.
func (w *world) follow(t *testing.T, rules v1beta1.RouteRules) {
	t.Helper()
	must(t, w.Set(t.Context(), w.target, router.Traffic{Weights: router.Percent(20), Rules: rules}, 1))
}

const (
	toPrimarySide = "destination: {upstream: {name: apps-podinfo-primaryupstream-9898, namespace: apps}}"
	toCanarySide  = "destination: {upstream: {name: apps-podinfo-canaryupstream-9898, namespace: apps}}"
)

func TestRulesAsWritten(t *testing.T) {
	const shares = `
    routeAction: {multi: {destinations: [{` + toPrimarySide + `, weight: 80}, {` + toCanarySide + `, weight: 20}]}}`
	const all = `
    routeAction: {multi: {destinations: [{` + toCanarySide + `, weight: 100}]}}`
	const one = `{name: x-a, value: "1"}, {name: x-b, value: 'a\.b.*', regex: true}, {name: ":method", value: GET}`
	tests := map[string]struct {
		// table is the user's; without one Serin makes its own.
		table string
		rules v1beta1.RouteRules
		want  string
	}{
		"a match takes its path from the delegating route, as the weighted route does": {
			rules: matched,
			want: `
  - name: serin-match
    inheritablePathMatchers: true
    matchers: [{headers: [` + one + `]}, {queryParameters: [{name: v}]}]` + all + `
  - inheritablePathMatchers: true` + shares,
		},
		"a route without matchers is for all paths, and so are those of its match": {
			table: `
  - {routeAction: {single: {kube: {ref: {name: podinfo, namespace: apps}, port: 9898}}}}`,
			rules: matched,
			want: `
  - name: serin-match
    matchers: [{prefix: /, headers: [` + one + `]}, {prefix: /, queryParameters: [{name: v}]}]` + all + `
  -` + shares,
		},
		"a match asks for what the route's own matchers ask for, each of them": {
			table: `
  - matchers: [{prefix: /a, methods: [GET, POST], headers: [{name: x-b, value: z}]}, {exact: /b, queryParameters: [{name: q}]}]
    options: {timeout: 1.500s}
    name: shop
    routeAction: {single: {kube: {ref: {name: podinfo, namespace: apps}, port: 9898}}}
  - {matchers: [{prefix: /docs}], routeAction: {single: {upstream: {name: docs, namespace: apps}}}}`,
			rules: matched,
			want: `
  - name: serin-match
    matchers:
    - {prefix: /a, methods: [GET, POST], headers: [` + one + `, {name: x-b, value: z}]}
    - {prefix: /a, methods: [GET, POST], headers: [{name: x-b, value: z}], queryParameters: [{name: v}]}
    - {exact: /b, headers: [` + one + `], queryParameters: [{name: q}]}
    - {exact: /b, queryParameters: [{name: v}, {name: q}]}
    options: {timeout: 1.500s}` + all + `
  - matchers: [{prefix: /a, methods: [GET, POST], headers: [{name: x-b, value: z}]}, {exact: /b, queryParameters: [{name: q}]}]
    options: {timeout: 1.500s}
    name: shop` + shares + `
  - {matchers: [{prefix: /docs}], routeAction: {single: {upstream: {name: docs, namespace: apps}}}}`,
		},
		"a mirror is an option besides the user's": {
			table: `
  - options: {timeout: 1.500s}
    routeAction: {single: {kube: {ref: {name: podinfo, namespace: apps}, port: 9898}}}`,
			rules: mirrored,
			want: `
  - options: {timeout: 1.500s, shadowing: {percentage: 12.5, upstream: {name: apps-podinfo-canaryupstream-9898, namespace: apps}}}` + shares,
		},
		"cookies are set by the destinations, and found before the weights": {
			rules: kept,
			want: `
  - name: serin-canary-cookie
    inheritablePathMatchers: true
    matchers: [{headers: [{name: cookie, value: '(?:.*;\s*)?side=c(?:\s*;.*)?', regex: true}]}]` + all + `
  - name: serin-primary-cookie
    inheritablePathMatchers: true
    matchers: [{headers: [{name: cookie, value: '(?:.*;\s*)?home=p(?:\s*;.*)?', regex: true}]}]
    routeAction: {multi: {destinations: [{` + toPrimarySide + `, weight: 100}]}}
  - inheritablePathMatchers: true
    routeAction:
      multi:
        destinations:
        - ` + toPrimarySide + `
          weight: 80
          options: {headerManipulation: {responseHeadersToAdd: [{header: {key: set-cookie, value: home=p; Path=/100%%}}]}}
        - ` + toCanarySide + `
          weight: 20
          options: {headerManipulation: {responseHeadersToAdd: [{header: {key: set-cookie, value: side=c; Path=/100%%}}]}}`,
		},
		"each of several routes has its own": {
			table: `
  - {matchers: [{prefix: /a}], routeAction: {single: {kube: {ref: {name: podinfo, namespace: apps}, port: 9898}}}}
  - {matchers: [{prefix: /b}], routeAction: {single: {kube: {ref: {name: podinfo, namespace: apps}, port: 9898}}}}`,
			rules: v1beta1.RouteRules{Match: matched.Match[1:]},
			want: `
  - name: serin-match
    matchers: [{prefix: /a, queryParameters: [{name: v}]}]` + all + `
  - matchers: [{prefix: /a}]` + shares + `
  - name: serin-match
    matchers: [{prefix: /b, queryParameters: [{name: v}]}]` + all + `
  - matchers: [{prefix: /b}]` + shares,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var objects []string
			if tc.table != "" {
				objects = []string{podinfoTable + "  routes:" + tc.table}
			}
			w := inMemory(t, objects...)
			w.ensure(t, 1)
			before := w.readTable(t)
			w.follow(t, tc.rules)
			wantSpec(t, w.readTable(t), "routes:"+tc.want)
			must(t, w.Set(t.Context(), w.target, router.Traffic{Weights: router.Percent(0)}, 1))
			if diff := cmp.Diff(before.Object["spec"], w.readTable(t).Object["spec"]); diff != "" {
				t.Errorf("the table without rules is not what it was (-want +got):\n%s", diff)
			}
			if note, ok := w.readTable(t).GetAnnotations()[rulesAnnotation]; ok {
				t.Errorf("the note %s is left", note)
			}
		})
	}
}

// Headers come from a map. Were their order that of the map, the table would change with each turn.
func TestRulesAreWrittenOnce(t *testing.T) {
	many := v1beta1.CanaryMatch{Headers: values{}, Cookies: values{}, QueryParams: values{}}
	for name := range strings.SplitSeq("abcdefgh", "") {
		many.Headers[name], many.Cookies[name], many.QueryParams[name] = v1beta1.StringMatch{Exact: "1"}, v1beta1.StringMatch{Exact: "1"}, v1beta1.StringMatch{}
	}
	w := inMemory(t)
	w.ensure(t, 1)
	rules := v1beta1.RouteRules{Match: []v1beta1.CanaryMatch{many}}
	w.follow(t, rules)
	before := w.writes
	for range 50 {
		w.follow(t, rules)
		if st := w.state(t); st.Rules != rules.Digest() {
			t.Fatalf("rules %q stand, want %q", st.Rules, rules.Digest())
		}
	}
	if w.writes != before {
		t.Errorf("%d writes of what stands already", w.writes-before)
	}
}

func TestEditedRules(t *testing.T) {
	inRoutes := func(change func(routes []route) []route) func(*unstructured.Unstructured) {
		return func(u *unstructured.Unstructured) {
			var list []any
			for _, r := range change(routesOf(u)) {
				list = append(list, map[string]any(r))
			}
			_ = unstructured.SetNestedSlice(u.Object, list, "spec", "routes")
		}
	}
	noted := func(note string) func(*unstructured.Unstructured) {
		return func(u *unstructured.Unstructured) { object.SetAnnotations(u, map[string]string{rulesAnnotation: note}) }
	}
	tests := map[string]struct {
		rules v1beta1.RouteRules
		edit  func(*unstructured.Unstructured)
	}{
		"the route of a match is removed": {matched, inRoutes(func(r []route) []route { return r[1:] })},
		"it stands behind the weights":    {matched, inRoutes(func(r []route) []route { return []route{r[1], r[0]} })},
		"it is there twice":               {matched, inRoutes(func(r []route) []route { return []route{r[0], r[0], r[1]} })},
		"it has another matcher": {matched, inRoutes(func(r []route) []route {
			r[0]["matchers"] = r[0]["matchers"].([]any)[:1]
			return r
		})},
		"it goes to both sides": {matched, inRoutes(func(r []route) []route {
			r[0]["routeAction"] = r[1]["routeAction"]
			return r
		})},
		"it has another name": {matched, inRoutes(func(r []route) []route {
			r[0]["name"] = "mine"
			return r
		})},
		"the user changes the options of the route with the weights": {matched, inRoutes(func(r []route) []route {
			r[1]["options"] = map[string]any{"timeout": "2s"}
			return r
		})},
		"the mirror is removed": {mirrored, inRoutes(func(r []route) []route {
			delete(r[0], "options")
			return r
		})},
		"the mirror copies more": {mirrored, inRoutes(func(r []route) []route {
			r[0].options()["shadowing"].(map[string]any)["percentage"] = int64(100)
			return r
		})},
		"a cookie is removed": {kept, inRoutes(func(r []route) []route {
			delete(r[2].entries()[1], "options")
			return r
		})},
		"a cookie has another value": {kept, inRoutes(func(r []route) []route {
			removeCookies(r[2].entries()[1], []string{"side"})
			addCookie(r[2].entries()[1], "side=x")
			return r
		})},
		"the note is removed":    {matched, func(u *unstructured.Unstructured) { object.RemoveAnnotations(u, rulesAnnotation) }},
		"the note is unreadable": {matched, noted("{")},
		"the note is of others":  {matched, noted(`{"mirror":50}`)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := inMemory(t)
			w.ensure(t, 1)
			w.follow(t, tc.rules)
			w.alter(t, w.readTable(t), tc.edit)
			if st := w.state(t); st.Rules != editedRules {
				t.Errorf("rules %q stand, want %q", st.Rules, editedRules)
			}
			w.ensure(t, 1)
			w.follow(t, tc.rules)
			if st := w.state(t); st.Rules != tc.rules.Digest() || st.Weights != router.Percent(20) {
				t.Errorf("after the repair rules %q stand at %s, want %q at 80/20", st.Rules, st.Weights, tc.rules.Digest())
			}
			must(t, w.Set(t.Context(), w.target, router.Traffic{Weights: router.Percent(20)}, 1))
			if body := specText(t, w); strings.Contains(body, "serin-") || strings.Contains(body, "shadowing") || strings.Contains(body, setCookie) {
				t.Errorf("something of the rules is left: %s", body)
			}
		})
	}
}

func specText(t *testing.T, w *world) string {
	t.Helper()
	body, err := json.Marshal(w.readTable(t).Object["spec"])
	must(t, err)
	return string(body)
}

// A user's route options on the way of the rules.
func TestRulesBesideTheUsersOwn(t *testing.T) {
	table := func(route string) string {
		return podinfoTable + "  routes:\n  - " + route + "\n    routeAction: {single: {kube: {ref: {name: podinfo, namespace: apps}, port: 9898}}}"
	}
	t.Run("a route that copies elsewhere cannot copy to the canary", func(t *testing.T) {
		w := inMemory(t, table("options: {shadowing: {upstream: {name: audit, namespace: apps}, percentage: 100}}"))
		w.ensure(t, 1)
		before := w.readTable(t)
		err := w.Set(t.Context(), w.target, router.Traffic{Weights: router.Percent(0), Rules: mirrored}, 2)
		if nr := notReady(err); nr == nil || nr.Problem.Reason != "ShadowingTaken" || nr.RetryAfter != 0 {
			t.Errorf("Set returns %v, want ShadowingTaken", err)
		}
		if diff := cmp.Diff(before.Object, w.readTable(t).Object); diff != "" {
			t.Errorf("the table changed (-want +got):\n%s", diff)
		}
		w.follow(t, matched)
		w.follow(t, v1beta1.RouteRules{})
		if shadow := routesOf(w.readTable(t))[0].options()["shadowing"]; shadow == nil {
			t.Error("the user's own copies are gone")
		}
	})
	t.Run("a cookie stands beside other headers of a destination", func(t *testing.T) {
		own := []any{
			map[string]any{"header": map[string]any{"key": "Set-Cookie", "value": "mine=1"}},
			map[string]any{"header": map[string]any{"key": "x-side", "value": "side=c"}},
		}
		w := inMemory(t)
		w.ensure(t, 1)
		w.alter(t, w.readTable(t), func(u *unstructured.Unstructured) {
			must(t, unstructured.SetNestedSlice(routesOf(u)[0].entries()[1], own, responseHeaders...))
		})
		w.follow(t, kept)
		routes := routesOf(w.readTable(t))
		if got := headersOf(routes[2].entries()[1]); len(got) != 3 {
			t.Errorf("the canary's answers get %v, want the user's two headers and a cookie", got)
		}
		if diff := cmp.Diff(own, headersOf(routes[0].entries()[0])); diff != "" {
			t.Errorf("headers for who is kept on the canary (-want +got):\n%s", diff)
		}
		w.follow(t, v1beta1.RouteRules{})
		if diff := cmp.Diff(own, headersOf(routesOf(w.readTable(t))[0].entries()[1])); diff != "" {
			t.Errorf("headers after the rules (-want +got):\n%s", diff)
		}
	})
	t.Run("who is kept on the primary is mirrored too", func(t *testing.T) {
		w := inMemory(t)
		w.ensure(t, 1)
		w.follow(t, v1beta1.RouteRules{Mirror: v1beta1.FullWeight, Affinity: kept.Affinity})
		routes := routesOf(w.readTable(t))
		if copies(routes[0]) != 0 || copies(routes[1]) != v1beta1.FullWeight || copies(routes[2]) != v1beta1.FullWeight {
			t.Errorf("copies on the three routes: %s, %s, %s", copies(routes[0]), copies(routes[1]), copies(routes[2]))
		}
	})
}

func TestRulesThatEnvoyWouldRefuse(t *testing.T) {
	bad := v1beta1.StringMatch{Regex: "("}
	cookie := *kept.Affinity
	cookie.CookieName = "a b"
	for reason, rules := range map[string][]v1beta1.RouteRules{
		"InvalidMatch": {
			{Match: []v1beta1.CanaryMatch{{Headers: values{"a": bad}}}},
			{Match: []v1beta1.CanaryMatch{{QueryParams: values{"a": bad}}}},
			{Match: []v1beta1.CanaryMatch{{Cookies: values{"a": bad}}}},
			{Match: []v1beta1.CanaryMatch{{}, {Method: &bad}}},
		},
		"InvalidSessionAffinity": {{Affinity: &cookie}},
		"NotSupportedByRouter":   {{Match: []v1beta1.CanaryMatch{{SourceLabels: map[string]string{"a": "b"}}}}},
	} {
		for _, r := range rules {
			w := inMemory(t)
			w.ensure(t, 1)
			before := w.writes
			err := w.Set(t.Context(), w.target, router.Traffic{Weights: router.Percent(0), Rules: r}, 2)
			if nr := notReady(err); nr == nil || nr.Problem.Reason != reason {
				t.Errorf("Set returns %v, want %s", err, reason)
			}
			if w.writes != before {
				t.Errorf("%s: something was written", reason)
			}
		}
	}
}

func TestRulesFollowAPortChange(t *testing.T) {
	w := inMemory(t)
	w.ensure(t, 1)
	rules := v1beta1.RouteRules{Match: matched.Match, Mirror: 125, Affinity: kept.Affinity}
	w.follow(t, rules)
	w.target.Port = 8080
	w.ensure(t, 2)
	if body := specText(t, w); strings.Contains(body, "upstream-9898") || strings.Count(body, "canaryupstream-8080") != 5 {
		t.Errorf("not all of the table is on the new port: %s", body)
	}
	if st := w.state(t); st.Rules != rules.Digest() {
		t.Errorf("rules %q stand, want %q", st.Rules, rules.Digest())
	}
	w.pass()
	w.ensure(t, 3)
	w.pass()
	w.ensure(t, 4)
	if diff := cmp.Diff([]string{"apps-podinfo-canaryupstream-8080", "apps-podinfo-primaryupstream-8080"}, w.upstreams(t)); diff != "" {
		t.Errorf("Upstreams (-want +got):\n%s", diff)
	}
}

// Somebody removes the route with the weights: what is left of the rules leads the way of nobody.
func TestRulesWithoutTheirRoute(t *testing.T) {
	for name, rules := range map[string]v1beta1.RouteRules{"routes": matched, "a note": mirrored} {
		t.Run(name, func(t *testing.T) {
			w := inMemory(t)
			w.ensure(t, 1)
			w.follow(t, rules)
			w.alter(t, w.readTable(t), func(u *unstructured.Unstructured) {
				list, _, _ := unstructured.NestedSlice(u.Object, "spec", "routes")
				must(t, unstructured.SetNestedSlice(u.Object, list[:len(list)-1], "spec", "routes"))
			})
			if w.state(t).Exists {
				t.Error("a table without weights is a route")
			}
			w.ensure(t, 2)
			wantSpec(t, w.readTable(t), "routes:\n  - inheritablePathMatchers: true"+split)
			if st := w.state(t); st.Rules != "" || st.Weights != router.Percent(0) {
				t.Errorf("rules %q stand at %s, want none at 100/0", st.Rules, st.Weights)
			}
		})
	}
}

func TestReleaseInTheMiddleOfRules(t *testing.T) {
	for name, rules := range map[string]v1beta1.RouteRules{"match": matched, "mirror": mirrored, "affinity": kept} {
		t.Run(name, func(t *testing.T) {
			w := inMemory(t, discovered, userTable)
			before := w.readTable(t)
			w.ensure(t, 1)
			w.follow(t, rules)
			w.release(t)
			if diff := cmp.Diff(before.Object["spec"], w.readTable(t).Object["spec"]); diff != "" {
				t.Errorf("the released table is not what it was (-want +got):\n%s", diff)
			}
			if left := w.readTable(t).GetAnnotations(); len(left) > 0 {
				t.Errorf("annotations %v are left", left)
			}
		})
	}
}

// A rule route that Gloo leaves out is said as one with weights is: it is the canary's to mend.
func TestARuleRouteThatIsLeftOut(t *testing.T) {
	w := inMemory(t, delegating)
	w.ensure(t, 1)
	w.follow(t, matched)
	w.report(t, w.readTable(t), map[string]any{"state": "Warning", "reason": "warning: \n  required headers: invalid route: route table matchers must have all headers"})
	if !hasProblem(w.state(t), "RouteLeftOut", false) {
		t.Errorf("problems %v, want RouteLeftOut", w.state(t).Problems)
	}
}
