package gloo

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/serin-dev/serin/router"
)

const delegating = `
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: default, namespace: gloo-system}
spec:
  virtualHost:
    domains: ["*"]
    routes:
    - matchers: [{prefix: /}]
      delegateAction: {ref: {name: podinfo, namespace: apps}}
`

const proxy = "*v1.Proxy.gateway-proxy_gloo-system"

func TestVerdicts(t *testing.T) {
	below := func(state any, reason string) map[string]any {
		return map[string]any{"state": "Accepted", "subresourceStatuses": map[string]any{proxy: map[string]any{"state": state, "reason": reason}}}
	}
	const missing = "warning: \n  Route Warning: InvalidDestinationWarning. Reason: *v1.Upstream { apps.apps-podinfo-canaryupstream-9898 } not found"
	const others = "1 error occurred:\n\t* VirtualHost Error: DomainsNotUniqueError. Reason: domain b.example.com\n\n"
	tests := map[string]struct {
		table, parent, upstream map[string]any
		verdict                 router.Verdict
		message                 string
		problems                []string // reasons; * behind a warning
	}{
		"nothing is said": {verdict: router.NotKnown},
		"accepted is no confirmation: it may be on the weights before": {
			table: map[string]any{"state": "Accepted"}, verdict: router.NotKnown,
		},
		"accepted as a number":    {table: map[string]any{"state": int64(1)}, verdict: router.NotKnown},
		"the table is rejected":   {table: map[string]any{"state": "Rejected", "reason": "bad\n\tthing"}, verdict: router.Rejected, message: "Gloo rejects RouteTable apps/podinfo: bad thing"},
		"rejected as a number":    {table: map[string]any{"state": int64(2), "reason": "bad"}, verdict: router.Rejected, message: "Gloo rejects RouteTable apps/podinfo: bad"},
		"rejected as a numeral":   {table: map[string]any{"state": "2", "reason": "bad"}, verdict: router.Rejected, message: "Gloo rejects RouteTable apps/podinfo: bad"},
		"the table has a warning": {table: map[string]any{"state": "Warning", "reason": "hm"}, verdict: router.NotKnown, problems: []string{"GlooWarning*"}},
		"a warning as a number":   {table: map[string]any{"state": int64(3), "reason": "hm"}, verdict: router.NotKnown, problems: []string{"GlooWarning*"}},
		"an Upstream is missing":  {table: below("Warning", missing), verdict: router.NotKnown, problems: []string{"GlooWarning*"}},
		"others' warnings are not ours": {
			table: below("Warning", "*v1.Upstream { apps.my-apps-podinfo-x } not found"), verdict: router.NotKnown,
		},
		"the proxy's rejection names us": {
			table: below("Rejected", "Route Error. Route Name: vs:x_rt:apps_podinfo_route:app"), verdict: router.Rejected,
			message: "Gloo rejects routes of proxy gateway-proxy_gloo-system: Route Error. Route Name: vs:x_rt:apps_podinfo_route:app",
		},
		"the proxy's rejection names others": {
			table: below(int64(2), others), verdict: router.NotKnown, problems: []string{"ProxyRejected*"},
		},
		"the proxy's rejection names an Upstream with ours in its name": {
			table: below("Rejected", "*v1.Upstream { my.my-apps-podinfo-canaryupstream-9898 } not found"), verdict: router.NotKnown, problems: []string{"ProxyRejected*"},
		},
		"the proxy's rejection names a VirtualService with ours in its name": {
			table: below("Rejected", "Route Name: my-gloo-system_default-route-0-matcher-0"), verdict: router.NotKnown, problems: []string{"ProxyRejected*"},
		},
		"the same words on table and parent are one problem": {
			table: below("Rejected", others), parent: below("Rejected", others), verdict: router.NotKnown, problems: []string{"ProxyRejected*"},
		},
		"the VirtualService is rejected": {
			parent: map[string]any{"state": "Rejected", "reason": "on sub route table apps.podinfo: bad"}, verdict: router.Rejected,
			message: "Gloo rejects VirtualService gloo-system/default: on sub route table apps.podinfo: bad",
		},
		"the VirtualService warns of our table": {
			parent: map[string]any{"state": "Warning", "reason": "on sub route table apps.podinfo: hm"}, verdict: router.NotKnown, problems: []string{"GlooWarning*"},
		},
		"the VirtualService warns of another table": {
			parent: map[string]any{"state": "Warning", "reason": "on sub route table apps.podinfo-2: hm"}, verdict: router.NotKnown,
		},
		"an Upstream is rejected": {
			upstream: map[string]any{"state": "Rejected", "reason": "bad"}, verdict: router.NotKnown, problems: []string{"UpstreamBroken"},
		},
		"an Upstream's secret is missing": {
			upstream: map[string]any{"state": "Warning", "reason": "warning: \n  1 error occurred:\n\t* SSL secret not found: list did not find secret apps.none\n\n"},
			verdict:  router.NotKnown, problems: []string{"UpstreamBroken"},
		},
		"the route does not fit its parent's matcher and is left out": {
			table:   map[string]any{"state": "Warning", "reason": "warning: \n  required prefix: /api, prefix: /: invalid route: route table matchers must begin with the prefix of their parent route's matcher"},
			verdict: router.NotKnown, problems: []string{"RouteLeftOut"},
		},
		"the proxy's rejection names a route of our VirtualService": {
			table:   below("Rejected", "1 error occurred:\n\t* Route Error: ProcessingError. Reason: bad. Route Name: gloo-system_default-route-0-matcher-0\n\n"),
			verdict: router.Rejected,
			message: "Gloo rejects routes of proxy gateway-proxy_gloo-system: 1 error occurred: * Route Error: ProcessingError. Reason: bad. Route Name: gloo-system_default-route-0-matcher-0",
		},
		"an Upstream has a warning": {
			upstream: map[string]any{"state": "Warning", "reason": "hm"}, verdict: router.NotKnown, problems: []string{"GlooWarning*"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := inMemory(t, delegating)
			w.ensure(t, 1)
			if tc.table != nil {
				w.report(t, w.readTable(t), tc.table)
			}
			if tc.parent != nil {
				w.report(t, w.read(t, kinds[2], keyOf("gloo-system", "default")), tc.parent)
			}
			if tc.upstream != nil {
				w.report(t, w.readUpstream(t, canary), tc.upstream)
			}
			st := w.state(t)
			if st.Verdict != tc.verdict || st.Message != tc.message {
				t.Errorf("the verdict is %s, %q; want %s, %q", st.Verdict, st.Message, tc.verdict, tc.message)
			}
			if diff := cmp.Diff(tc.problems, reasons(st)); diff != "" {
				t.Errorf("problems (-want +got):\n%s%v", diff, st.Problems)
			}
		})
	}
}

func TestEveryGlooIsHeard(t *testing.T) {
	w := inMemory(t, delegating)
	w.ensure(t, 1)
	w.alter(t, w.readTable(t), func(u *unstructured.Unstructured) {
		u.Object["status"] = map[string]any{"statuses": map[string]any{
			"gloo-a": map[string]any{"state": "Accepted"},
			"gloo-b": map[string]any{"state": "Rejected", "reason": "bad"},
		}}
	})
	if st := w.state(t); st.Verdict != router.Rejected {
		t.Errorf("the verdict is %s though one Gloo rejects", st.Verdict)
	}
}

func TestMessagesAreBounded(t *testing.T) {
	w := inMemory(t, delegating)
	w.ensure(t, 1)
	w.report(t, w.readTable(t), map[string]any{"state": "Rejected", "reason": strings.Repeat("wörd\n", 1000)})
	msg := w.state(t).Message
	if strings.Contains(msg, "\n") || len([]rune(msg)) > maxReason+100 || !strings.HasSuffix(msg, "…") {
		t.Errorf("the message is not one short line: %d runes", len([]rune(msg)))
	}
}

func TestEditedRoutes(t *testing.T) {
	type entry = map[string]any
	ours := func(s side, weight any) entry {
		e := entry{"destination": entry{"upstream": entry{"name": names{inMemory(t).target}.upstream(s)}}}
		if weight != nil {
			e["weight"] = weight
		}
		return e
	}
	foreign := func(weight any) entry {
		return entry{"destination": entry{"upstream": entry{"name": "old"}}, "weight": weight}
	}
	multi := func(entries ...any) any {
		return entry{"routeAction": entry{"multi": entry{"destinations": entries}}}
	}
	tests := map[string]struct {
		routes   []any
		want     router.Weights
		problems []string
		exists   bool
		rejected bool
	}{
		"a weight that is left out is 0": {
			routes: []any{multi(ours(primary, int64(100)), ours(canary, nil))}, exists: true, want: router.Percent(0),
		},
		"weights that are no percentages are told as they stand": {
			routes: []any{multi(ours(primary, int64(3)), ours(canary, int64(1)))}, exists: true, want: router.Weights{Primary: 30, Canary: 10},
		},
		"a total of 0 is told as it stands, and is refused": {
			routes: []any{multi(ours(primary, int64(0)), ours(canary, int64(0)))}, exists: true, rejected: true,
		},
		"absurd weights do not overflow": {
			routes: []any{multi(ours(primary, int64(4294967295)), ours(canary, int64(4294967295)))}, exists: true,
			want: router.Weights{Primary: 10 * maxWeight, Canary: 10 * maxWeight},
		},
		"of routes that differ the one with more canary counts": {
			routes: []any{multi(ours(primary, int64(100)), ours(canary, int64(0))), multi(ours(primary, int64(10)), ours(canary, int64(90)))},
			exists: true, want: router.Percent(90),
		},
		"a third destination is told": {
			routes: []any{multi(ours(primary, int64(50)), ours(canary, int64(50)), foreign(int64(20)))},
			exists: true, want: router.Percent(50), problems: []string{"ForeignDestination*"},
		},
		"the canary alone has everything": {
			routes: []any{entry{"routeAction": entry{"single": ours(canary, nil)["destination"]}}}, exists: true, want: router.Percent(100),
		},
		"a route turned away by another tool is gone": {
			routes: []any{multi(foreign(int64(1)))},
		},
		"rubbish is no route": {routes: []any{"x", entry{"routeAction": "y"}, multi("z")}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := inMemory(t, delegating)
			w.ensure(t, 5)
			w.alter(t, w.readTable(t), func(u *unstructured.Unstructured) {
				must(t, unstructured.SetNestedSlice(u.Object, tc.routes, "spec", "routes"))
			})
			st := w.state(t)
			if st.Exists != tc.exists || st.Weights != tc.want || st.Stamp != 5 {
				t.Errorf("exists %t, weights %s, stamp %d; want %t, %s, 5", st.Exists, st.Weights, st.Stamp, tc.exists, tc.want)
			}
			if (st.Verdict == router.Rejected) != tc.rejected {
				t.Errorf("the verdict is %s: %s", st.Verdict, st.Message)
			}
			if diff := cmp.Diff(tc.problems, reasons(st)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if !tc.exists {
				return
			}
			must(t, w.Set(t.Context(), w.target, router.Traffic{Weights: router.Percent(25)}, 6))
			w.ensure(t, 7)
			if st := w.state(t); st.Weights != router.Percent(25) {
				t.Errorf("weights are %s after Set", st.Weights)
			}
		})
	}
}

// reasons of the problems, a warning's with a star.
func reasons(st router.State) []string {
	var found []string
	for _, p := range st.Problems {
		reason := p.Reason
		if p.Warning {
			reason += "*"
		}
		found = append(found, reason)
	}
	return found
}
