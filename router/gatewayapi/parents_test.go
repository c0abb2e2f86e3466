package gatewayapi

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/serin-dev/serin/router"
)

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

func TestVerdicts(t *testing.T) {
	const ours, foreign = "Service apps/podinfo-canary has no endpoints", "Service apps/docs not found"
	no := func(kind, reason, message string) metav1.Condition { return says(kind, "False", reason, message) }
	tests := map[string]struct {
		conditions []metav1.Condition
		own        bool // the user has a rule on the route
		verdict    router.Verdict
		message    string
		problems   []string
	}{
		"accepted is the control plane's word, not the proxies'": {conditions: []metav1.Condition{accepted()}, verdict: router.NotKnown},
		"not accepted": {
			conditions: []metav1.Condition{no("Accepted", "NotAllowedByListeners", "")},
			verdict:    router.Rejected, message: "Gateway infra/public does not accept HTTPRoute apps/podinfo: NotAllowedByListeners",
		},
		"a side cannot be found": {
			conditions: []metav1.Condition{accepted(), no("ResolvedRefs", "BackendNotFound", ours)}, own: true,
			verdict: router.Rejected, message: "Gateway infra/public cannot serve all of HTTPRoute apps/podinfo: BackendNotFound: " + ours,
		},
		"what cannot be found is another's": {
			conditions: []metav1.Condition{accepted(), no("ResolvedRefs", "BackendNotFound", foreign)}, own: true,
			verdict: router.NotKnown, problems: []string{"RouteIncomplete*"},
		},
		"nothing else can be meant": {
			conditions: []metav1.Condition{accepted(), no("ResolvedRefs", "RefNotPermitted", "")},
			verdict:    router.Rejected, message: "Gateway infra/public cannot serve all of HTTPRoute apps/podinfo: RefNotPermitted",
		},
		"rules were left out": {
			conditions: []metav1.Condition{accepted(), says("PartiallyInvalid", "True", "UnsupportedValue", "Dropped Rule(s) of podinfo-canary")}, own: true,
			verdict: router.Rejected, message: "Gateway infra/public cannot serve all of HTTPRoute apps/podinfo: UnsupportedValue: Dropped Rule(s) of podinfo-canary",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := inMemory(t)
			w.ensure(t, 1)
			if tc.own {
				decorate(t, w)
			}
			w.report(t, "traefik.io/gateway-controller", tc.conditions...)
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

// A verdict on an earlier generation is none on this one.
func TestOldWordsAreNotAboutThisRoute(t *testing.T) {
	w := onServer(t)
	w.ensure(t, 1)
	w.report(t, "traefik.io/gateway-controller", says("Accepted", "False", "UnsupportedValue", "bad"))
	if st := w.state(t); st.Verdict != router.Rejected {
		t.Fatalf("the verdict is %s", st.Verdict)
	}
	w.set(t, router.Traffic{Weights: router.Percent(10)}, 2)
	if st := w.state(t); st.Verdict != router.NotKnown {
		t.Errorf("the verdict is %s after the route was changed", st.Verdict)
	}
}

func TestOneOfTwoParents(t *testing.T) {
	w := inMemory(t)
	w.wish(t, `{port: 9898, gatewayRefs: [{name: public, namespace: infra}, {name: inner, namespace: infra, sectionName: web, port: 80}]}`)
	w.ensure(t, 1)
	u := w.read(t)
	w.reportAs(t, u, "traefik.io/gateway-controller", []metav1.Condition{accepted()})
	w.alter(t, func(u *unstructured.Unstructured) {
		parents, _, _ := unstructured.NestedSlice(u.Object, "status", "parents")
		parents[1].(map[string]any)["conditions"] = []any{map[string]any{"type": "Accepted", "status": "False", "reason": "NoMatchingParent", "message": "no listener"}}
		must(t, unstructured.SetNestedSlice(u.Object, parents, "status", "parents"))
	})
	st := w.state(t)
	if got := reasons(st); st.Verdict != router.NotKnown || !cmp.Equal(got, []string{"ParentRefused*"}) {
		t.Fatalf("the verdict is %s, problems %v", st.Verdict, st.Problems)
	}
	if want := "Gateway infra/inner listener web port 80 does not accept HTTPRoute apps/podinfo: NoMatchingParent: no listener"; st.Problems[0].Message != want {
		t.Errorf("it says %s, want %s", st.Problems[0].Message, want)
	}
	// What is said of a parent that was removed is about nothing any more.
	w.target.Service.GatewayRefs = w.target.Service.GatewayRefs[:1]
	w.ensure(t, 2)
	if st := w.state(t); len(st.Problems) > 0 {
		t.Errorf("problems %v of a parent that the route no longer has", st.Problems)
	}
}

func TestNobodyServesTheRoute(t *testing.T) {
	w := inMemory(t)
	w.ensure(t, 1)
	if st := w.state(t); len(st.Problems) > 0 {
		t.Errorf("a new route has the problems %v", st.Problems)
	}
	w.offset += silence + time.Second
	st := w.state(t)
	if got := reasons(st); !cmp.Equal(got, []string{"NotAttached"}) || !strings.Contains(st.Problems[0].Message, "Gateway infra/public") {
		t.Errorf("problems %v", st.Problems)
	}
	w.alter(t, func(u *unstructured.Unstructured) { unstructured.RemoveNestedField(u.Object, "spec", "parentRefs") })
	if st := w.state(t); !cmp.Equal(reasons(st), []string{"NotAttached"}) || !strings.Contains(st.Problems[0].Message, "names no parent") {
		t.Errorf("problems %v", st.Problems)
	}
}

func TestOthersWordsAreBounded(t *testing.T) {
	w := inMemory(t)
	w.ensure(t, 1)
	w.report(t, "x", says("Accepted", "False", "UnsupportedValue", strings.Repeat("wörd\n", 1000)))
	msg := w.state(t).Message
	if strings.Contains(msg, "\n") || len([]rune(msg)) > maxWords+100 || !strings.HasSuffix(msg, "…") {
		t.Errorf("the message is not one short line: %d runes", len([]rune(msg)))
	}
}

func TestEditedRules(t *testing.T) {
	to := func(name string, weight any) any {
		b := map[string]any{"name": name, "port": int64(9898)}
		if weight != nil {
			b["weight"] = weight
		}
		return b
	}
	backends := func(list ...any) any { return map[string]any{"backendRefs": list} }
	tests := map[string]struct {
		rules    []any
		want     router.Weights
		problems []string
		exists   bool
		rejected bool
	}{
		"a weight that is left out is 1": {
			rules: []any{backends(to("podinfo-primary", int64(3)), to("podinfo-canary", nil))}, exists: true, want: router.Weights{Primary: 30, Canary: 10},
		},
		"a total of 0 is refused": {
			rules: []any{backends(to("podinfo-primary", int64(0)), to("podinfo-canary", int64(0)))}, exists: true, rejected: true,
		},
		"absurd weights do not overflow": {
			rules: []any{backends(to("podinfo-primary", int64(1<<40)), to("podinfo-canary", int64(1<<40)))}, exists: true,
			want: router.Weights{Primary: 10 * maxWeight, Canary: 10 * maxWeight},
		},
		"of rules that differ the one with more canary counts": {
			rules:  []any{backends(to("podinfo-primary", int64(100)), to("podinfo-canary", int64(0))), backends(to("podinfo-primary", int64(10)), to("podinfo-canary", int64(90)))},
			exists: true, want: router.Percent(90),
		},
		"a third backend is told": {
			rules:  []any{backends(to("podinfo-primary", int64(50)), to("podinfo-canary", int64(50)), to("old", int64(20)))},
			exists: true, want: router.Percent(50), problems: []string{"ForeignDestination*"},
		},
		"one backend has everything, whatever its weight": {
			rules: []any{backends(to("podinfo-canary", int64(7)))}, exists: true, want: router.Percent(100),
		},
		"the primary alone": {rules: []any{backends(to("podinfo-primary", nil))}, exists: true, want: router.Percent(0)},
		"a rule turned away by another tool is gone": {
			rules: []any{backends(to("old", nil))},
		},
		"rubbish is no rule": {rules: []any{"x", map[string]any{"backendRefs": "y"}, backends("z")}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := inMemory(t)
			w.ensure(t, 5)
			w.alter(t, func(u *unstructured.Unstructured) {
				must(t, unstructured.SetNestedSlice(u.Object, tc.rules, "spec", "rules"))
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
			w.set(t, router.Traffic{Weights: router.Percent(25)}, 6)
			w.ensure(t, 7)
			if st := w.state(t); st.Weights != router.Percent(25) {
				t.Errorf("weights are %s after Set", st.Weights)
			}
		})
	}
}
