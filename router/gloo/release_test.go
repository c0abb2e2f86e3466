package gloo

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/gloo/api"
	"github.com/serin-dev/serin/router/internal/object"
)

const userTable = podinfoTable + `
  routes:
  - matchers: [{prefix: /a}]
    options: {timeout: 3s}
    routeAction: {single: {upstream: {name: apps-podinfo-9898, namespace: gloo-system}}}
  - routeAction: {single: {kube: {ref: {name: podinfo, namespace: apps}, port: 9898}, destinationSpec: {rest: {functionName: b}}}}
`

// release drives Release to its end.
func (w *world) release(t *testing.T) {
	t.Helper()
	err := w.Release(t.Context(), w.target)
	for range 3 {
		if nr := notReady(err); nr == nil || nr.RetryAfter == 0 {
			break
		}
		w.pass()
		err = w.Release(t.Context(), w.target)
	}
	must(t, err)
}

func TestReleaseGivesAUsersTableBack(t *testing.T) {
	w := inMemory(t, discovered, userTable)
	before := w.readTable(t)
	w.ensure(t, 1)
	w.release(t)
	if diff := cmp.Diff(before.Object["spec"], w.readTable(t).Object["spec"]); diff != "" {
		t.Errorf("the released table is not what it was (-want +got):\n%s", diff)
	}
	if len(w.readTable(t).GetAnnotations())+len(w.readTable(t).GetLabels()) > 0 {
		t.Errorf("marks are left: %v", w.readTable(t).Object["metadata"])
	}
	if diff := cmp.Diff([]string(nil), w.upstreams(t)); diff != "" {
		t.Errorf("Upstreams are left (-want +got):\n%s", diff)
	}
}

// What stood there is only put back where it still leads to the apex.
func TestReleaseWithoutTheWayBack(t *testing.T) {
	const kube = "routeAction: {single: {kube: {ref: {name: podinfo, namespace: apps}, port: 9898}}}"
	const want = "routes:\n  - matchers: [{prefix: /a}]\n    options: {timeout: 3s}\n    " + kube + "\n  - " + kube
	tests := map[string]func(t *testing.T, w *world){
		"the Upstream that stood there is gone": func(t *testing.T, w *world) {
			must(t, w.raw.Delete(t.Context(), w.read(t, api.Upstream, keyOf("gloo-system", "apps-podinfo-9898"))))
		},
		"the note is unreadable": func(t *testing.T, w *world) {
			w.alter(t, w.readTable(t), func(u *unstructured.Unstructured) {
				object.SetAnnotations(u, map[string]string{originalAnnotation: "{"})
			})
		},
		"the note is on other routes": func(t *testing.T, w *world) {
			w.alter(t, w.readTable(t), func(u *unstructured.Unstructured) {
				object.SetAnnotations(u, map[string]string{originalAnnotation: "[{}]"})
			})
		},
	}
	for name, disturb := range tests {
		t.Run(name, func(t *testing.T) {
			w := inMemory(t, discovered, userTable)
			w.ensure(t, 1)
			disturb(t, w)
			w.release(t)
			wantSpec(t, w.readTable(t), want)
		})
	}
}

// The Upstreams outlive the route's turn by the time that Envoy needs, and one that came into use
// again stays.
// A table that Serin made leads on by the Upstream whose settings it followed, if that is the apex's.
func TestReleaseToTheUpstreamThatWasFollowed(t *testing.T) {
	tests := map[string]struct{ service, want string }{
		"of the apex":          {"podinfo", "{single: {upstream: {name: settings, namespace: apps}}}"},
		"of something besides": {"other", "{single: {kube: {ref: {name: podinfo, namespace: apps}, port: 9898}}}"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := inMemory(t, "apiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata: {name: settings, namespace: apps}\n"+
				"spec: {useHttp2: true, kube: {serviceName: "+tc.service+", serviceNamespace: apps, servicePort: 9898}}")
			follow(w, "apps", "settings")
			w.ensure(t, 1)
			w.release(t)
			routes, _, _ := unstructured.NestedSlice(w.readTable(t).Object, "spec", "routes")
			got := routes[0].(map[string]any)["routeAction"]
			if diff := cmp.Diff(parse(t, "{apiVersion: v1, kind: X, action: "+tc.want+"}").Object["action"], got); diff != "" {
				t.Errorf("the route leads (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReleaseTakesItsTime(t *testing.T) {
	w := inMemory(t)
	w.ensure(t, 1)
	nr := notReady(w.Release(t.Context(), w.target))
	if nr == nil || nr.Problem.Reason != "UpstreamsDraining" || nr.RetryAfter <= router.SettleTime {
		t.Fatalf("Release returns %v, want it to wait", nr)
	}
	w.offset += nr.RetryAfter - 2*router.SettleTime/5
	if nr := notReady(w.Release(t.Context(), w.target)); nr == nil || len(w.upstreams(t)) != 2 {
		t.Fatalf("the Upstreams went too early: %v", w.upstreams(t))
	}
	w.hook = func() {
		w.alter(t, w.readUpstream(t, canary), func(u *unstructured.Unstructured) { object.RemoveAnnotations(u, unusedAnnotation) })
	}
	w.pass()
	if err := w.Release(t.Context(), w.target); err == nil || w.read(t, api.Upstream, names{w.target}.upstreamKey(canary)) == nil {
		t.Errorf("an Upstream that was changed meanwhile is deleted; Release returns %v", err)
	}
	w.release(t)
	if left := w.upstreams(t); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

func TestReleaseWithoutATable(t *testing.T) {
	w := inMemory(t)
	w.ensure(t, 1)
	must(t, w.raw.Delete(t.Context(), w.readTable(t)))
	w.release(t)
	if left := w.upstreams(t); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}
