package gatewayapi

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/internal/object"
	"github.com/serin-dev/serin/router/routertest"
)

func TestConformanceInMemory(t *testing.T) {
	routertest.Run(t, func(t *testing.T) routertest.Subject { return subject(inMemory(t)) })
}

func TestConformanceOnAPIServer(t *testing.T) {
	routertest.Run(t, func(t *testing.T) routertest.Subject { return subject(onServer(t)) })
}

func subject(w *world) routertest.Subject {
	return routertest.Subject{
		Router:      served{w},
		Target:      w.target,
		Writes:      func() int { return w.writes },
		BeforeWrite: func(f func()) { w.hook = f },
		Edit:        func(t *testing.T, weights router.Weights) { editWeights(t, w, weights) },
		EditRules:   func(t *testing.T) { editRules(t, w) },
		Decorate:    func(t *testing.T) func(*testing.T) { return decorate(t, w) },
		Delete:      func(t *testing.T) { must(t, w.raw.Delete(t.Context(), w.read(t))) },
		Reject: func(t *testing.T, words string) {
			w.report(t, "traefik.io/gateway-controller", says("Accepted", "False", "UnsupportedValue", words))
		},
		Accept:   func(t *testing.T) { w.report(t, "traefik.io/gateway-controller", accepted()) },
		Pass:     func() {},
		Released: func(t *testing.T) { wantReleased(t, w) },
		Ask:      func(t *testing.T, r *http.Request) routertest.Answer { return ask(t, w, r) },
		Raw:      func(t *testing.T, weights router.Weights) { wantRaw(t, w, weights) },
	}
}

// served is a router whose routes Traefik serves: the proxy tells which series there are.
type served struct{ *world }

func (s served) Telemetry(t router.Target) router.Telemetry {
	return implementations["traefik.io/gateway-controller"].telemetry(names{t})
}

func editWeights(t *testing.T, w *world, weights router.Weights) {
	n := names{w.target}
	w.alter(t, func(u *unstructured.Unstructured) {
		for _, r := range rulesOf(u) {
			if n.sends(r) && !n.picks(r) {
				n.reweigh(r, weights)
			}
		}
	})
}

// decorate adds what users add: metadata, a filter and a timeout, a rule of their own before ours, and
// a filter of one backend.
func decorate(t *testing.T, w *world) func(*testing.T) {
	header := func(name string) []any {
		return []any{map[string]any{"type": "RequestHeaderModifier", "requestHeaderModifier": map[string]any{"remove": []any{name}}}}
	}
	path := []any{map[string]any{"path": map[string]any{"type": "PathPrefix", "value": "/docs"}}}
	own := map[string]any{
		"matches":     path,
		"backendRefs": []any{map[string]any{"group": "", "kind": "Service", "name": "docs", "port": int64(80), "weight": int64(1)}},
	}
	more := map[string]any{"filters": header("x-debug"), "timeouts": map[string]any{"request": "3s"}}
	w.alter(t, func(u *unstructured.Unstructured) {
		object.SetLabels(u, map[string]string{"team": "blue"})
		object.SetAnnotations(u, map[string]string{"argocd.argoproj.io/tracking-id": "apps:podinfo"})
		ours := rulesOf(u)[0]
		maps.Copy(ours, more)
		ours.backends()[1]["filters"] = header("x-trace")
		must(t, unstructured.SetNestedSlice(u.Object, []any{own, map[string]any(ours)}, "spec", "rules"))
	})
	return func(t *testing.T) {
		t.Helper()
		u := w.read(t)
		if u.GetLabels()["team"] != "blue" || u.GetAnnotations()["argocd.argoproj.io/tracking-id"] != "apps:podinfo" {
			t.Errorf("foreign metadata is gone: %v %v", u.GetLabels(), u.GetAnnotations())
		}
		rules := slices.DeleteFunc(rulesOf(u), names{w.target}.picks)
		if len(rules) != 2 {
			t.Fatalf("the route has %d rules, want 2", len(rules))
		}
		if diff := cmp.Diff(own, map[string]any(rules[0])); diff != "" {
			t.Errorf("the user's own rule changed (-want +got):\n%s", diff)
		}
		// Rules of an analysis add filters after the user's.
		got := map[string]any{"filters": filtersOf(rules[1])[:1], "timeouts": rules[1]["timeouts"]}
		if diff := cmp.Diff(more, got); diff != "" {
			t.Errorf("our rule changed (-want +got):\n%s", diff)
		}
		if list := rules[1].backends(); len(list) == 2 && !cmp.Equal(header("x-trace"), filtersOf(list[1])[:1]) {
			t.Errorf("the filter of the canary's backend is gone: %v", list[1])
		}
	}
}

func wantRaw(t *testing.T, w *world, weights router.Weights) {
	t.Helper()
	var got []any
	for _, r := range rulesOf(w.read(t)) {
		for _, b := range r.backends() {
			got = append(got, b["weight"])
		}
	}
	if diff := cmp.Diff([]any{int64(weights.Primary / 10), int64(weights.Canary / 10)}, got); diff != "" {
		t.Errorf("weights as written (-want +got):\n%s", diff)
	}
}

func wantReleased(t *testing.T, w *world) {
	t.Helper()
	u := w.read(t)
	apex := []any{map[string]any{"group": "", "kind": "Service", "name": w.target.Apex, "port": int64(w.target.Port), "weight": int64(1)}}
	rules := rulesOf(u)
	if diff := cmp.Diff(any(apex), rules[len(rules)-1]["backendRefs"]); diff != "" {
		t.Errorf("the released rule's backends (-want +got):\n%s", diff)
	}
	for _, mark := range []string{v1beta1.TransitionAnnotation, originalAnnotation, generatedAnnotation, rulesAnnotation} {
		if _, ok := u.GetAnnotations()[mark]; ok {
			t.Errorf("annotation %s is still there", mark)
		}
	}
	if owner, ok := u.GetLabels()[v1beta1.CanaryLabel]; ok {
		t.Errorf("label %s=%s is still there", v1beta1.CanaryLabel, owner)
	}
}
