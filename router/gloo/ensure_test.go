package gloo

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/gloo/api"
	"github.com/serin-dev/serin/router/internal/object"
)

const podinfoTable = `
apiVersion: gateway.solo.io/v1
kind: RouteTable
metadata: {name: podinfo}
spec:
`

const discovered = `
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {name: apps-podinfo-9898, namespace: gloo-system}
spec: {kube: {serviceName: podinfo, serviceNamespace: apps, servicePort: 9898, selector: {app: podinfo}}}
`

// split is how a route to both sides ends up.
const split = `
    routeAction:
      multi:
        destinations:
        - {destination: {upstream: {name: apps-podinfo-primaryupstream-9898, namespace: apps}}, weight: 100}
        - {destination: {upstream: {name: apps-podinfo-canaryupstream-9898, namespace: apps}}, weight: 0}
`

func TestNewObjects(t *testing.T) {
	w := inMemory(t)
	w.target.Metadata = v1beta1.CustomMetadata{
		Labels:      map[string]string{"gateway": "public", "app.kubernetes.io/instance": "argo-app"},
		Annotations: map[string]string{"note": "hello", "argocd.argoproj.io/tracking-id": "x", "helm.sh/resource-policy": "keep"},
	}
	w.ensure(t, 3)

	tbl := w.readTable(t)
	wantSpec(t, tbl, "routes:\n  - inheritablePathMatchers: true"+split)
	wantMap(t, "labels", map[string]string{"gateway": "public", "serin.dev/canary": "podinfo"}, tbl.GetLabels())
	wantMap(t, "annotations", map[string]string{"note": "hello", "serin.dev/transition": "3"}, tbl.GetAnnotations())
	for s, service := range map[side]string{primary: "podinfo-primary", canary: "podinfo-canary"} {
		up := w.readUpstream(t, s)
		wantSpec(t, up, "kube: {serviceName: "+service+", serviceNamespace: apps, servicePort: 9898}")
		wantMap(t, "labels", map[string]string{"serin.dev/canary": "podinfo"}, up.GetLabels())
		for _, u := range []*unstructured.Unstructured{tbl, up} {
			if len(u.GetOwnerReferences()) > 0 {
				t.Errorf("%s has an owner: it would be collected while it serves", object.Title(u))
			}
		}
	}
}

func TestTakingOverATable(t *testing.T) {
	tests := map[string]struct {
		objects []string
		table   string
		want    string
	}{
		"a route to the apex Service becomes ours, its matchers and options and the other routes stay": {
			table: `
  weight: 5
  routes:
  - name: docs
    matchers: [{prefix: /docs}]
    routeAction: {single: {kube: {ref: {name: docs, namespace: apps}, port: 9898}}}
  - name: app
    matchers: [{prefix: /}]
    options: {timeout: 1.500s}
    routeAction: {single: {kube: {ref: {name: podinfo, namespace: apps}, port: 9898}}}
`,
			want: `
  weight: 5
  routes:
  - name: docs
    matchers: [{prefix: /docs}]
    routeAction: {single: {kube: {ref: {name: docs, namespace: apps}, port: 9898}}}
  - name: app
    matchers: [{prefix: /}]
    options: {timeout: 1.500s}` + split,
		},
		"a route to the Upstream that Gloo discovered for the apex Service becomes ours": {
			objects: []string{discovered},
			table:   "  routes:\n  - routeAction: {single: {upstream: {name: apps-podinfo-9898, namespace: gloo-system}}}\n",
			want:    "  routes:\n  -" + strings.TrimPrefix(split, "\n   "),
		},
		"every route to the apex becomes ours, a way of calling it is kept": {
			table: `
  routes:
  - matchers: [{prefix: /a}]
    routeAction: {single: {kube: {ref: {name: podinfo, namespace: apps}, port: 9898}, destinationSpec: {rest: {functionName: a}}}}
  - matchers: [{prefix: /b}]
    routeAction: {multi: {destinations: [{destination: {kube: {ref: {name: podinfo, namespace: apps}, port: 9898}}, weight: 1}]}}
`,
			want: `
  routes:
  - matchers: [{prefix: /a}]
    routeAction:
      multi:
        destinations:
        - destination: {upstream: {name: apps-podinfo-primaryupstream-9898, namespace: apps}, destinationSpec: {rest: {functionName: a}}}
          weight: 100
        - destination: {upstream: {name: apps-podinfo-canaryupstream-9898, namespace: apps}, destinationSpec: {rest: {functionName: a}}}
          weight: 0
  - matchers: [{prefix: /b}]` + split,
		},
		"a table without routes gets ours": {
			table: "  weight: 1\n",
			want:  "  weight: 1\n  routes:\n  - inheritablePathMatchers: true" + split,
		},
		"an earlier tool's route keeps its weights and gets the zero that it left out": {
			table: `
  routes:
  - inheritablePathMatchers: true
    routeAction:
      multi:
        destinations:
        - {destination: {upstream: {name: apps-podinfo-primaryupstream-9898, namespace: apps}}, weight: 100}
        - {destination: {upstream: {name: apps-podinfo-canaryupstream-9898, namespace: apps}}}
`,
			want: "  routes:\n  - inheritablePathMatchers: true" + split,
		},
		"a route in the middle of a rollout keeps its weights": {
			table: "  routes:\n  -" + strings.TrimPrefix(strings.NewReplacer(": 100", ": 60", ": 0\n", ": 40\n").Replace(split), "\n   "),
			want:  "  routes:\n  -" + strings.TrimPrefix(strings.NewReplacer(": 100", ": 60", ": 0\n", ": 40\n").Replace(split), "\n   "),
		},
		"a route that somebody left to the primary alone gets its canary back": {
			table: "  routes:\n  - routeAction: {single: {upstream: {name: apps-podinfo-primaryupstream-9898}}}\n",
			want:  "  routes:\n  -" + strings.TrimPrefix(split, "\n   "),
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := inMemory(t, append(tc.objects, podinfoTable+tc.table)...)
			w.ensure(t, 1)
			wantSpec(t, w.readTable(t), tc.want)
			before := w.writes
			w.ensure(t, 2)
			if w.writes != before {
				t.Errorf("the second Ensure writes %d times", w.writes-before)
			}
		})
	}
}

func TestTablesThatAreLeftAlone(t *testing.T) {
	tests := map[string]struct {
		objects []string
		table   string
		reason  string
	}{
		"its only route sends elsewhere": {
			table:  podinfoTable + "  routes:\n  - routeAction: {single: {kube: {ref: {name: other, namespace: apps}, port: 9898}}}\n",
			reason: "RouteTableNotOurs",
		},
		"its route sends to another port of the apex": {
			table:  podinfoTable + "  routes:\n  - routeAction: {single: {kube: {ref: {name: podinfo, namespace: apps}, port: 9999}}}\n",
			reason: "RouteTableNotOurs",
		},
		"its route sends to a Service of that name in another namespace": {
			table:  podinfoTable + "  routes:\n  - routeAction: {single: {kube: {ref: {name: podinfo, namespace: other}, port: 9898}}}\n",
			reason: "RouteTableNotOurs",
		},
		"its route sends to some of the apex's pods": {
			objects: []string{discovered},
			table:   podinfoTable + "  routes:\n  - routeAction: {single: {upstream: {name: apps-podinfo-9898, namespace: gloo-system}, subset: {values: {version: v1}}}}\n",
			reason:  "RouteTableNotOurs",
		},
		"its route sends to an Upstream that does not exist": {
			table:  podinfoTable + "  routes:\n  - routeAction: {single: {upstream: {name: apps-podinfo-9898, namespace: gloo-system}}}\n",
			reason: "RouteTableNotOurs",
		},
		"its route splits between the apex and another": {
			table: podinfoTable + `
  routes:
  - routeAction:
      multi:
        destinations:
        - {destination: {kube: {ref: {name: podinfo, namespace: apps}, port: 9898}}, weight: 1}
        - {destination: {kube: {ref: {name: other, namespace: apps}, port: 9898}}, weight: 1}
`,
			reason: "RouteTableNotOurs",
		},
		"its route sends to an Upstream where an operator of one namespace does not look": {
			objects: []string{discovered},
			table:   podinfoTable + "  routes:\n  - routeAction: {single: {upstream: {name: apps-podinfo-9898, namespace: gloo-system}}}\n",
			reason:  "RouteTableNotOurs",
		},
		"it is another Canary's": {
			objects: []string{otherCanary},
			table:   strings.Replace(podinfoTable, "{name: podinfo}", "{name: podinfo, labels: {serin.dev/canary: other}}", 1) + "  routes:\n  - {}\n",
			reason:  "RouteTableTaken",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := inMemory(t, append(tc.objects, tc.table)...)
			w.target.Watched = "apps"
			before := w.readTable(t)
			for range 2 {
				err := w.Ensure(t.Context(), w.target, 1)
				nr := notReady(err)
				if nr == nil || nr.Problem.Reason != tc.reason || nr.RetryAfter != 0 {
					t.Fatalf("Ensure returns %v, want the problem %s for the user to mend", err, tc.reason)
				}
				if !strings.Contains(nr.Problem.Message, "RouteTable apps/podinfo") {
					t.Errorf("the message does not name the table: %s", nr.Problem.Message)
				}
				w.pass()
			}
			if w.writes != 0 {
				t.Errorf("%d writes for a route that cannot be", w.writes)
			}
			if diff := cmp.Diff(before.Object, w.readTable(t).Object); diff != "" {
				t.Errorf("the table was changed (-want +got):\n%s", diff)
			}
			if st := w.state(t); st.Exists {
				t.Error("Get says that the route exists")
			}
		})
	}
}

// otherCanary is a Canary that a table or an Upstream may belong to.
const otherCanary = `
apiVersion: serin.dev/v1beta1
kind: Canary
metadata: {name: other, namespace: apps}
spec: {targetRef: {apiVersion: apps/v1, kind: Deployment, name: other}, service: {port: 9898}, skipAnalysis: true}
`

// TestTheSuccessorOfADeletedCanary takes over what the Canary before it left: nothing is removed with
// a Canary, and another name must not be locked out for ever.
func TestTheSuccessorOfADeletedCanary(t *testing.T) {
	left := strings.Replace(podinfoTable, "{name: podinfo}", "{name: podinfo, labels: {serin.dev/canary: gone}}", 1)
	w := inMemory(t, left+"  routes:\n  -"+strings.TrimPrefix(split, "\n   "))
	if st := w.state(t); !st.Exists || len(st.Problems) != 0 && st.Problems[0].Reason == "RouteTableTaken" {
		t.Errorf("Get reports %+v, want the route as it stands", st)
	}
	if err := w.Set(t.Context(), w.target, router.Traffic{Weights: router.Percent(30)}, 9); err != nil {
		t.Errorf("Set: %v", err)
	}
}

func TestATableOfAnotherCanary(t *testing.T) {
	taken := strings.Replace(podinfoTable, "{name: podinfo}", "{name: podinfo, labels: {serin.dev/canary: other}}", 1)
	w := inMemory(t, otherCanary, taken+"  routes:\n  -"+strings.TrimPrefix(split, "\n   "))
	if err := w.Set(t.Context(), w.target, router.Traffic{Weights: router.Percent(50)}, 9); notReady(err) == nil {
		t.Errorf("Set returns %v, want a refusal", err)
	}
	if err := w.Release(t.Context(), w.target); err != nil {
		t.Errorf("Release: %v", err)
	}
	if st := w.state(t); len(st.Problems) != 1 || st.Problems[0].Reason != "RouteTableTaken" {
		t.Errorf("Get reports %v", st.Problems)
	}
	if w.writes != 0 {
		t.Errorf("%d writes to what is another Canary's", w.writes)
	}
}

// What an earlier tool left: owned by its Canary, marked for Flux, with pods' labels in the Upstreams.
func TestTakingOverAnInstallation(t *testing.T) {
	const owned = "ownerReferences: [{apiVersion: flagger.app/v1beta1, kind: Canary, name: podinfo, uid: u1, controller: true, blockOwnerDeletion: true}]"
	const up = `
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {name: apps-podinfo-primaryupstream-9898, ` + owned + `}
spec: {kube: {serviceName: podinfo-primary, serviceNamespace: apps, servicePort: 9898, selector: {app: podinfo-primary}}}
`
	w := inMemory(t, up, strings.ReplaceAll(up, "primary", "canary"),
		strings.Replace(podinfoTable, "{name: podinfo}", "{name: podinfo, annotations: {kustomize.toolkit.fluxcd.io/reconcile: disabled}, "+owned+"}", 1)+
			"  routes:\n  -"+strings.TrimPrefix(split, "\n   "))
	w.ensure(t, 1)
	for _, u := range []*unstructured.Unstructured{w.readTable(t), w.readUpstream(t, primary), w.readUpstream(t, canary)} {
		if owners := u.GetOwnerReferences(); len(owners) > 0 {
			t.Errorf("%s would still be collected with %v", object.Title(u), owners)
		}
	}
	if _, ok := w.readTable(t).GetAnnotations()["kustomize.toolkit.fluxcd.io/reconcile"]; !ok {
		t.Error("a foreign annotation is gone")
	}
	wantSpec(t, w.readUpstream(t, primary), "kube: {serviceName: podinfo-primary, serviceNamespace: apps, servicePort: 9898}")
}

// Live traffic turns to new Upstreams only when Gloo has had them for a while.
func TestTrafficWaitsForNewUpstreams(t *testing.T) {
	w := inMemory(t, podinfoTable+"  routes:\n  - routeAction: {single: {kube: {ref: {name: podinfo, namespace: apps}, port: 9898}}}\n")
	waits := func(want string) {
		t.Helper()
		err := w.Ensure(t.Context(), w.target, 1)
		if nr := notReady(err); nr == nil || nr.Problem.Reason != want {
			t.Fatalf("Ensure returns %v, want %s", err, want)
		}
		if got := w.readTable(t).GetResourceVersion(); got != "999" {
			t.Fatalf("the table was written: version %s", got)
		}
	}
	waits("UpstreamsSettling")
	w.offset += router.SettleTime + 1
	waits("UpstreamsSettling") // Gloo has said nothing of them yet

	w.report(t, w.readUpstream(t, primary), map[string]any{"state": "Accepted"})
	w.report(t, w.readUpstream(t, canary), map[string]any{"state": "Rejected", "reason": "no secret"})
	waits("UpstreamBroken")

	w.report(t, w.readUpstream(t, canary), map[string]any{"state": "Accepted"})
	must(t, w.Ensure(t.Context(), w.target, 1))
	if st := w.state(t); !st.Exists || st.Weights != router.Percent(0) {
		t.Errorf("the route is not ours: %+v", st)
	}
}

func TestPortChange(t *testing.T) {
	w := inMemory(t)
	w.ensure(t, 1)
	must(t, w.Set(t.Context(), w.target, router.Traffic{Weights: router.Percent(30)}, 2))

	w.target.Port = 8080
	if nr := notReady(w.Ensure(t.Context(), w.target, 3)); nr == nil || nr.RetryAfter <= 0 {
		t.Fatalf("Ensure does not wait for the new Upstreams: %v", nr)
	}
	// A shift meanwhile keeps to the Upstreams that serve.
	must(t, w.Set(t.Context(), w.target, router.Traffic{Weights: router.Percent(10)}, 4))
	wantDestinations(t, w, "apps-podinfo-primaryupstream-9898", "apps-podinfo-canaryupstream-9898")

	w.pass()
	must(t, w.Ensure(t.Context(), w.target, 5))
	wantDestinations(t, w, "apps-podinfo-primaryupstream-8080", "apps-podinfo-canaryupstream-8080")
	if st := w.state(t); st.Weights != router.Percent(10) {
		t.Errorf("weights are %s after the change of the port, want 90/10", st.Weights)
	}
	// The old pair stays until Envoy has turned away from it.
	must(t, w.Ensure(t.Context(), w.target, 5))
	if n := len(w.upstreams(t)); n != 4 {
		t.Errorf("%d Upstreams right after the change, want 4", n)
	}
	w.pass()
	must(t, w.Ensure(t.Context(), w.target, 5))
	want := []string{"apps-podinfo-canaryupstream-8080", "apps-podinfo-primaryupstream-8080"}
	if diff := cmp.Diff(want, w.upstreams(t)); diff != "" {
		t.Errorf("Upstreams in the end (-want +got):\n%s", diff)
	}
}

// A port that is changed back finds its Upstreams again, though they were about to go.
func TestPortChangedBack(t *testing.T) {
	w := inMemory(t)
	w.ensure(t, 1)
	w.target.Port = 8080
	w.ensure(t, 2)
	w.target.Port = 9898
	w.ensure(t, 3)
	if mark, ok := w.readUpstream(t, primary).GetAnnotations()[unusedAnnotation]; ok {
		t.Errorf("the Upstream in use is still marked unused since %s", mark)
	}
	wantDestinations(t, w, "apps-podinfo-primaryupstream-9898", "apps-podinfo-canaryupstream-9898")
}

// Gloo's status has no subresource: whatever we sent of it would be stored.
func TestStatusIsNeverSent(t *testing.T) {
	w := inMemory(t)
	w.ensure(t, 1)
	w.report(t, w.readTable(t), map[string]any{"state": "Accepted", "reportedBy": "gloo"})
	w.report(t, w.readUpstream(t, primary), map[string]any{"state": int64(1)})
	must(t, w.Set(t.Context(), w.target, router.Traffic{Weights: router.Percent(50)}, 2))
	w.alter(t, w.readUpstream(t, primary), func(u *unstructured.Unstructured) {
		must(t, unstructured.SetNestedField(u.Object, int64(1), "spec", "kube", "servicePort"))
	})
	w.ensure(t, 3)

	for _, body := range w.bodies {
		if strings.Contains(body, `"status"`) {
			t.Errorf("a write has a status: %s", body)
		}
	}
	state, _, _ := unstructured.NestedString(w.readTable(t).Object, "status", "statuses", "gloo-system", "reportedBy")
	if state != "gloo" {
		t.Errorf("Gloo's status is gone: %v", w.readTable(t).Object["status"])
	}
}

func TestFaultsComeBack(t *testing.T) {
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "routetables"}, "podinfo", errors.New("no right to"))
	w := inMemory(t)
	w.ensure(t, 1)
	w.fault = forbidden
	if err := w.Set(t.Context(), w.target, router.Traffic{Weights: router.Percent(5)}, 2); !apierrors.IsForbidden(err) {
		t.Errorf("Set returns %v, want what the API server said", err)
	}
	w.target.Port = 1
	if err := w.Ensure(t.Context(), w.target, 2); !apierrors.IsForbidden(err) {
		t.Errorf("Ensure returns %v, want what the API server said", err)
	}
	w.target.Port = 9898
	if err := w.Release(t.Context(), w.target); !apierrors.IsForbidden(err) {
		t.Errorf("Release returns %v, want what the API server said", err)
	}
}

// The API server's answer to a write of a kind whose CRD was removed after the router was made.
func TestGlooIsRemoved(t *testing.T) {
	gone := apierrors.NewGenericServerResponse(http.StatusNotFound, http.MethodPost,
		schema.GroupResource{Group: api.RouteTable.Group, Resource: "routetables"}, "podinfo", "404 page not found", 0, true)
	for what, write := range map[string]func(*world) error{
		"a table that the cache has": func(w *world) error {
			return w.Set(t.Context(), w.target, router.Traffic{Weights: router.Percent(5)}, 2)
		},
		"a table that it has no more": func(w *world) error {
			must(t, w.raw.Delete(t.Context(), w.readTable(t)))
			return w.Ensure(t.Context(), w.target, 2)
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := inMemory(t)
			w.ensure(t, 1)
			w.fault = gone
			err := write(w)
			if nr := notReady(err); nr == nil || nr.Problem.Reason != "GlooNotInstalled" || !nr.Problem.Unwatched ||
				!strings.Contains(nr.Problem.Message, "does not know RouteTable.v1.gateway.solo.io:") {
				t.Errorf("%v, want a problem that names the kind", err)
			}
		})
	}
}

func TestWritesCarryOurName(t *testing.T) {
	w := onServer(t)
	w.ensure(t, 1)
	must(t, w.Set(t.Context(), w.target, router.Traffic{Weights: router.Percent(5)}, 2))
	var writers []string
	for _, m := range w.readTable(t).GetManagedFields() {
		writers = append(writers, m.Manager)
	}
	if len(writers) == 0 || slices.ContainsFunc(writers, func(name string) bool { return name != v1beta1.FieldManager }) {
		t.Errorf("the table was written by %v", writers)
	}
}

// Without this the other tests on the server would prove nothing about fields.
func TestTheServerIsStrict(t *testing.T) {
	w := onServer(t)
	w.ensure(t, 1)
	live := w.readTable(t)
	wanted := live.DeepCopy()
	must(t, unstructured.SetNestedField(wanted.Object, "x", "spec", "noSuchField"))
	if err := w.patch(t.Context(), live, wanted); err == nil || !strings.Contains(err.Error(), "noSuchField") {
		t.Errorf("an unknown field gives %v", err)
	}
}

func wantSpec(t *testing.T, u *unstructured.Unstructured, want string) {
	t.Helper()
	body, err := yaml.YAMLToJSON([]byte("apiVersion: v1\nkind: X\nspec:\n  " + strings.TrimLeft(want, " \n")))
	must(t, err)
	wanted := &unstructured.Unstructured{}
	must(t, wanted.UnmarshalJSON(body))
	if diff := cmp.Diff(wanted.Object["spec"], u.Object["spec"]); diff != "" {
		t.Errorf("spec of %s (-want +got):\n%s", object.Title(u), diff)
	}
}

func wantMap(t *testing.T, what string, want, got map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func wantDestinations(t *testing.T, w *world, want ...string) {
	t.Helper()
	var got []string
	for _, r := range routesOf(w.readTable(t)) {
		for _, e := range r.entries() {
			ref, _ := upstreamOf(e, "")
			got = append(got, ref.Name)
		}
	}
	if !slices.Equal(want, got) {
		t.Errorf("the route sends to %v, want %v", got, want)
	}
}
