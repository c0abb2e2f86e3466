package gloo

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/gloo/api"
	"github.com/serin-dev/serin/router/internal/object"
	"github.com/serin-dev/serin/router/routertest"
)

func TestConformanceInMemory(t *testing.T) {
	routertest.Run(t, func(t *testing.T) routertest.Subject { return subject(inMemory(t)) })
}

// With Gloo's own CRDs this also proves that they know every field that is ever written.
func TestConformanceOnAPIServer(t *testing.T) {
	routertest.Run(t, func(t *testing.T) routertest.Subject { return subject(onServer(t)) })
}

func subject(w *world) routertest.Subject {
	return routertest.Subject{
		Router:      w,
		Target:      w.target,
		Writes:      func() int { return w.writes },
		BeforeWrite: func(f func()) { w.hook = f },
		Edit:        func(t *testing.T, weights router.Weights) { editWeights(t, w, weights) },
		EditRules:   func(t *testing.T) { editRules(t, w) },
		Decorate:    func(t *testing.T) func(*testing.T) { return decorate(t, w) },
		Delete:      func(t *testing.T) { must(t, w.raw.Delete(t.Context(), w.readTable(t))) },
		Reject: func(t *testing.T, words string) {
			w.report(t, w.readTable(t), map[string]any{"state": "Rejected", "reason": words})
		},
		Accept:   func(t *testing.T) { w.report(t, w.readTable(t), map[string]any{"state": "Accepted"}) },
		Pass:     w.pass,
		Released: func(t *testing.T) { wantReleased(t, w) },
		Ask:      func(t *testing.T, r *http.Request) routertest.Answer { return ask(t, w, r) },
		Raw:      func(t *testing.T, weights router.Weights) { wantRaw(t, w, weights) },
	}
}

func editWeights(t *testing.T, w *world, weights router.Weights) {
	w.alter(t, w.readTable(t), func(u *unstructured.Unstructured) {
		n := names{w.target}
		for _, r := range routesOf(u) {
			if n.ours(r) {
				n.reweigh(r, weights)
			}
		}
	})
}

// decorate adds what users add: metadata, options, matchers, a route of their own before ours, and
// options of one destination.
func decorate(t *testing.T, w *world) func(*testing.T) {
	own := map[string]any{
		"name":        "docs",
		"matchers":    []any{map[string]any{"prefix": "/docs"}},
		"routeAction": map[string]any{"single": map[string]any{"upstream": map[string]any{"name": "docs", "namespace": "gloo-system"}}},
	}
	more := map[string]any{
		"name":     "app",
		"matchers": []any{map[string]any{"prefix": "/", "methods": []any{"GET"}}},
		"options":  map[string]any{"timeout": "1.500s", "prefixRewrite": "/api"},
	}
	w.alter(t, w.readTable(t), func(u *unstructured.Unstructured) {
		object.SetLabels(u, map[string]string{"team": "blue"})
		object.SetAnnotations(u, map[string]string{"argocd.argoproj.io/tracking-id": "apps:podinfo"})
		ours := routesOf(u)[0]
		maps.Copy(ours, more)
		ours.entries()[1]["options"] = map[string]any{"headerManipulation": map[string]any{"requestHeadersToRemove": []any{"x-debug"}}}
		must(t, unstructured.SetNestedSlice(u.Object, []any{own, map[string]any(ours)}, "spec", "routes"))
	})
	return func(t *testing.T) {
		t.Helper()
		u := w.readTable(t)
		if u.GetLabels()["team"] != "blue" || u.GetAnnotations()["argocd.argoproj.io/tracking-id"] != "apps:podinfo" {
			t.Errorf("foreign metadata is gone: %v %v", u.GetLabels(), u.GetAnnotations())
		}
		routes := slices.DeleteFunc(routesOf(u), names{w.target}.ofRule)
		if len(routes) != 2 {
			t.Fatalf("the table has %d routes besides those of rules, want 2", len(routes))
		}
		if diff := cmp.Diff(own, map[string]any(routes[0])); diff != "" {
			t.Errorf("the user's own route changed (-want +got):\n%s", diff)
		}
		drop(routes[1], "options", "shadowing") // ours while a rule mirrors
		for field, want := range more {
			if diff := cmp.Diff(want, routes[1][field]); diff != "" {
				t.Errorf("%s of our route changed (-want +got):\n%s", field, diff)
			}
		}
		// The routes of rules are copies of ours.
		for _, r := range routesOf(u) {
			if (names{w.target}).sends(r) {
				keepsOptions(t, names{w.target}, r)
			}
		}
	}
}

func keepsOptions(t *testing.T, n names, r route) {
	t.Helper()
	if options := r.options(); options["timeout"] != "1.500s" || options["prefixRewrite"] != "/api" {
		t.Errorf("the options of route %v are %v", r["name"], options)
	}
	for _, e := range r.entries() {
		removed, _, _ := unstructured.NestedSlice(e, "options", "headerManipulation", "requestHeadersToRemove")
		if s, _ := n.entrySide(e); s == canary && len(removed) != 1 {
			t.Errorf("route %v: the options of the canary's destination are %v", r["name"], e["options"])
		}
	}
}

func wantRaw(t *testing.T, w *world, weights router.Weights) {
	t.Helper()
	var got []any
	for _, r := range routesOf(w.readTable(t)) {
		for _, e := range r.entries() {
			got = append(got, e["weight"])
		}
	}
	if diff := cmp.Diff([]any{int64(weights.Primary / 10), int64(weights.Canary / 10)}, got); diff != "" {
		t.Errorf("weights as written (-want +got):\n%s", diff)
	}
}

func wantReleased(t *testing.T, w *world) {
	t.Helper()
	u := w.readTable(t)
	apex := map[string]any{"single": map[string]any{"kube": map[string]any{
		"ref":  map[string]any{"name": w.target.Apex, "namespace": w.target.Canary.Namespace},
		"port": int64(w.target.Port),
	}}}
	routes := routesOf(u)
	if diff := cmp.Diff(apex, routes[len(routes)-1]["routeAction"]); diff != "" {
		t.Errorf("the released route's action (-want +got):\n%s", diff)
	}
	for _, mark := range []string{v1beta1.TransitionAnnotation, originalAnnotation, rulesAnnotation} {
		if _, ok := u.GetAnnotations()[mark]; ok {
			t.Errorf("annotation %s is still there", mark)
		}
	}
	for _, r := range routes {
		if (names{w.target}).sends(r) || r.options()["shadowing"] != nil {
			t.Errorf("a route still knows the two sides: %v", r)
		}
	}
	if owner, ok := u.GetLabels()[v1beta1.CanaryLabel]; ok {
		t.Errorf("label %s=%s is still there", v1beta1.CanaryLabel, owner)
	}
}

func notReady(err error) *router.NotReady {
	nr, _ := errors.AsType[*router.NotReady](err)
	return nr
}

// The schemas that the tests bring are strict, so they must not know more than Gloo's.
func TestOurSchemasAreGloos(t *testing.T) {
	dir := realSchemas(t)
	for _, k := range kinds {
		compareSchema(t, k.Kind, schemaOf(t, "testdata/crds", k), schemaOf(t, dir, k))
	}
}

// What the types in package api can write is what Gloo's schemas know.
func TestFollowedFieldsAreGloos(t *testing.T) {
	spec := schemaOf(t, realSchemas(t), api.Upstream)["properties"].(map[string]any)["spec"].(map[string]any)
	known := spec["properties"].(map[string]any)
	for _, f := range api.Followed {
		if _, ok := known[f]; !ok {
			t.Errorf("Gloo's Upstream has no field %s", f)
		}
	}
}
