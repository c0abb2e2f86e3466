package canary_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router/gloo/api"
)

const glooCRDs = "../../router/gloo/testdata/crds"

func byGloo(c *v1beta1.Canary) { c.Spec.Provider = "gloo" }

// onGloo is an adopted podinfo whose VirtualService delegates to its RouteTable.
func onGloo(t *testing.T) (*world, *operator) {
	t.Helper()
	w := newWorld(t, glooCRDs)
	w.create(w.deployment("podinfo:6.0.0"), w.service(), w.virtualService(), w.canary(byGloo))
	op := w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	return w, op
}

func (w *world) virtualService() *unstructured.Unstructured {
	vs := api.New(api.VirtualService)
	vs.SetNamespace(w.ns)
	vs.SetName("podinfo")
	vs.Object["spec"] = map[string]any{"virtualHost": map[string]any{
		"domains": []any{"podinfo." + w.ns},
		"routes": []any{map[string]any{
			"matchers":       []any{map[string]any{"prefix": "/"}},
			"delegateAction": map[string]any{"ref": map[string]any{"name": "podinfo", "namespace": w.ns}},
		}},
	}}
	return vs
}

// weights of the RouteTable's destinations.
func (w *world) weights() []int64 {
	table := api.New(api.RouteTable)
	w.read("podinfo", table)
	routes, _, _ := unstructured.NestedSlice(table.Object, "spec", "routes")
	var all []int64
	for _, r := range routes {
		destinations, _, _ := unstructured.NestedSlice(r.(map[string]any), "routeAction", "multi", "destinations")
		for _, d := range destinations {
			weight, _, _ := unstructured.NestedInt64(d.(map[string]any), "weight")
			all = append(all, weight)
		}
	}
	return all
}

func (w *world) wantWeights(want ...int64) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.weights()); diff != "" {
		w.t.Errorf("weights in the RouteTable (-want +got):\n%s", diff)
	}
}

func TestPromotionThroughARouteTable(t *testing.T) {
	w, op := onGloo(t)
	w.wantWeights(100, 0)
	w.setImage("podinfo:6.0.1")
	w.takesWeight(50)
	w.eventually("the RouteTable follows", func() bool { return cmp.Equal([]int64{50, 50}, w.weights()) })
	if c := w.ends(1); c.Status.Phase != v1beta1.PhaseSucceeded {
		t.Errorf("ended as %s\n%s", c.Status.Phase, w.story())
	}
	w.wantWeights(100, 0)
	w.atRest("podinfo:6.0.1")
	for _, line := range op.requests.all() {
		if strings.HasPrefix(line, "GET /apis/gateway.solo.io/") && strings.HasSuffix(line, "/podinfo") {
			t.Errorf("a live read of a route: %s", line)
		}
	}
}

func TestIdleIsFreeOnGloo(t *testing.T) {
	w, op := onGloo(t)
	w.eventually("it is at rest", func() bool { return w.toldAll() && op.requests.quietFor(stillness) })
	asked := len(op.requests.all())
	w.stays("it is at rest", 5*stillness, func() bool { return len(op.requests.all()) == asked })
	op.stop()
	again := w.operate()
	w.observed(again)
	if writes := again.requests.writes(); len(writes) > 0 {
		t.Errorf("a restart wrote %v", writes)
	}
}

func TestAMissingDelegationIsExplainedAndMendsItself(t *testing.T) {
	w := newWorld(t, glooCRDs)
	w.operate()
	w.create(w.deployment("podinfo:6.0.0"), w.service(), w.canary(byGloo))
	w.explains(v1beta1.ConditionStalled, "NotDelegated", []string{
		"no VirtualService that Serin can see delegates to RouteTable <ns>/podinfo", "delegateAction.ref {name: podinfo, namespace: <ns>}"})
	w.create(w.virtualService())
	w.eventually("it goes on", func() bool { return w.stalledBy() == "" && w.get().Status.Phase == v1beta1.PhaseInitialized })
	if n := w.reasons()["NotDelegated"]; n != 1 {
		t.Errorf("%d events, want 1", n)
	}
}

func TestARejectedRouteTableHoldsTheRunInGloosWords(t *testing.T) {
	w, _ := onGloo(t)
	w.edit(func(c *v1beta1.Canary) { c.Spec.Analysis.Interval = "2s" })
	w.setImage("podinfo:6.0.1")
	w.takesWeight(50)
	w.report("Rejected", "no such upstream")
	w.explains(v1beta1.ConditionStalled, "RouteRejected", []string{"no such upstream", "RouteTable " + "<ns>/podinfo"})
	w.report("Accepted", "")
	w.eventually("it goes on", func() bool { return w.stalledBy() == "" })
	if c := w.ends(1); c.Status.Phase != v1beta1.PhaseSucceeded {
		t.Errorf("ended as %s\n%s", c.Status.Phase, w.story())
	}
}

// report writes a verdict as Gloo does: into status, with a write of the whole object.
func (w *world) report(state, reason string) {
	w.t.Helper()
	w.eventually("the verdict is written", func() bool {
		table := api.New(api.RouteTable)
		w.read("podinfo", table)
		table.Object["status"] = map[string]any{"statuses": map[string]any{"gloo-system": map[string]any{"state": state, "reason": reason}}}
		return w.c.Update(w.ctx, table, client.FieldOwner("gloo")) == nil
	})
}

// stalledBy is the reason of the condition Stalled; empty when it is not true.
func (w *world) stalledBy() string {
	for _, c := range w.get().Status.Conditions {
		if c.Type == v1beta1.ConditionStalled && c.Status == "True" {
			return c.Reason
		}
	}
	return ""
}

// TestADeletedCanaryHandsItsRouteTableBack: the table that Serin made leads to the Service alone, and
// what it led to is gone.
func TestADeletedCanaryHandsItsRouteTableBack(t *testing.T) {
	w, _ := onGloo(t)
	w.remove(w.get())
	w.goes()
	table := api.New(api.RouteTable)
	w.read("podinfo", table)
	routes, _, _ := unstructured.NestedSlice(table.Object, "spec", "routes")
	if len(routes) != 1 {
		t.Fatalf("%d routes", len(routes))
	}
	want := map[string]any{"single": map[string]any{"kube": map[string]any{
		"ref": map[string]any{"name": "podinfo", "namespace": w.ns}, "port": int64(9898)}}}
	if diff := cmp.Diff(want, routes[0].(map[string]any)["routeAction"]); diff != "" {
		t.Errorf("the route (-want +got):\n%s", diff)
	}
	upstreams := api.NewList(api.Upstream)
	must(t, w.c.List(w.ctx, upstreams, client.InNamespace(w.ns)))
	if len(upstreams.Items) > 0 || len(w.ours()) > 0 {
		t.Errorf("left behind: %d Upstreams, %v", len(upstreams.Items), w.ours())
	}
}

// TestAReleasePassesAMissingGlooOver: without its kinds nothing is to be handed back.
func TestAReleasePassesAMissingGlooOver(t *testing.T) {
	w, op := adopted(t)
	op.stop()
	w.edit(func(c *v1beta1.Canary) { c.Spec.Provider = "gloo" })
	w.operate()
	w.remove(w.get())
	w.goes()
	if left := w.ours(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestGlooIsRemovedInMidRun: the kind of the route goes with all of its objects, and comes back without
// anything that would wake a canary.
func TestGlooIsRemovedInMidRun(t *testing.T) {
	w := newWorld(t, glooCRDs)
	var gone atomic.Bool
	w.wire = func(r *http.Request, send http.RoundTripper) (*http.Response, error) {
		if gone.Load() && strings.HasPrefix(r.URL.Path, "/apis/gateway.solo.io/v1/namespaces/"+w.ns+"/routetables") {
			return &http.Response{StatusCode: http.StatusNotFound, Request: r, Header: http.Header{"Content-Type": []string{"text/plain"}},
				Body: io.NopCloser(strings.NewReader("404 page not found\n"))}, nil
		}
		return send.RoundTrip(r)
	}
	gate := receive(t) // the weight stands for as long as the test takes
	gate.always = http.StatusForbidden
	w.create(w.deployment("podinfo:6.0.0"), w.service(), w.virtualService(),
		w.canary(byGloo, hooked(v1beta1.CanaryWebhook{Name: "gate", Type: v1beta1.HookConfirmPromotion, URL: gate.URL})))
	op := w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.setImage("podinfo:6.0.1")
	w.reaches(v1beta1.PhaseWaitingPromotion)
	w.wantWeights(50, 50)
	gone.Store(true)
	table := api.New(api.RouteTable)
	w.read("podinfo", table)
	must(t, w.c.Delete(w.ctx, table))
	w.eventually("it says what is missing", func() bool {
		return w.get().Status.Reason == "GlooNotInstalled" && strings.Contains(w.story(), "RouteTable.v1.gateway.solo.io")
	})
	w.eventually("it rests", func() bool { return op.requests.quietFor(stillness) })
	gone.Store(false)
	w.eventually("the route is back at its weight", func() bool { return w.find("podinfo", table) && cmp.Equal([]int64{50, 50}, w.weights()) })
	gate.answer(http.StatusOK)
	c := w.ends(1)
	if n := w.reasons()["RouteRepaired"]; c.Status.Phase != v1beta1.PhaseSucceeded || n != 1 {
		t.Errorf("ended as %s after %d repairs of the route, want one\n%s", c.Status.Phase, n, w.story())
	}
	w.wantWeights(100, 0)
}
