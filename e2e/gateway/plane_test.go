package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/serin-dev/serin/e2e/gateway/gatewaytest"
	"github.com/serin-dev/serin/e2e/gateway/gloo"
)

var (
	podinfo        = gloo.Ref{Name: "podinfo", Namespace: "test"}
	virtualService = gloo.ID{Kind: gloo.VirtualServiceKind, Ref: podinfo}
	routeTable     = gloo.ID{Kind: gloo.RouteTableKind, Ref: podinfo}
	canaryUpstream = gloo.ID{Kind: gloo.UpstreamKind, Ref: gloo.Ref{Name: "test-podinfo-canaryupstream-80", Namespace: "test"}}
)

const virtualServiceObject = `
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: podinfo, namespace: test}
spec: {virtualHost: {domains: ["*"], routes: [{matchers: [{prefix: /}], delegateAction: {ref: {name: podinfo, namespace: test}}}]}}
`

func routeTableObject(primary, canary int) string {
	return fmt.Sprintf(`
apiVersion: gateway.solo.io/v1
kind: RouteTable
metadata: {name: podinfo, namespace: test}
spec: {routes: [{routeAction: {multi: {destinations: [
  {destination: {%s}, weight: %d}, {destination: {%s}, weight: %d}]}}}]}
`, toPrimary, primary, toCanary, canary)
}

func upstreamObjects() string {
	var out string
	for _, side := range []string{"primary", "canary"} {
		out += strings.NewReplacer("SIDE", side, "ADDRESS", "10.0.0.1", "PORT", "9898").Replace(sideObjects)
	}
	return out
}

func faultsObject(data string) string {
	return fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: gateway-faults, namespace: gloo-system}, data: {%s}}", data)
}

// TestPlane runs the control plane on a real API server, on our CRDs and,
// where they are at hand, on Gloo's own.
func TestPlane(t *testing.T) {
	t.Run("our CRDs", func(t *testing.T) { testPlane(t, ownCRDs(t)) })
	t.Run("Gloo's CRDs", func(t *testing.T) {
		folder := os.Getenv(glooCRDs)
		if folder == "" {
			t.Skipf("%s is not set: it names a folder with the CRDs of Gloo, which are not part of this repository", glooCRDs)
		}
		testPlane(t, envtest.CRDInstallOptions{Paths: []string{folder}, ErrorIfPathMissing: true})
	})
}

// testPlane follows one table through its life; each part starts from where
// the one before left it.
func testPlane(t *testing.T, options envtest.CRDInstallOptions) {
	a := startAPI(t, options)
	for _, part := range []struct {
		name string
		test func(*testing.T, *api)
	}{
		{"a missing Upstream is a warning in the subresource", testMissingUpstream},
		{"statuses are written into the object itself", testStatusWrites},
		{"an unchanged status is not written again", testUnchanged},
		{"the status of another control plane stays", testForeignStatus},
		{"a total weight of zero leaves the old weights in force", testNoWeight},
		{"asked to reject", testReject},
		{"asked to be slow", testDelay},
		{"asked to be gone", testPause},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.test(t, a) }) {
			t.FailNow()
		}
	}
}

func testMissingUpstream(t *testing.T, a *api) {
	a.apply(t, virtualServiceObject+"---"+routeTableObject(80, 20))
	a.reaches(t, routeTable, "Accepted", "Warning")
	a.reaches(t, virtualService, "Warning", "Warning")
}

func testNoWeight(t *testing.T, a *api) {
	a.apply(t, routeTableObject(0, 0))
	s := a.reaches(t, virtualService, "Rejected", "Accepted")
	if reason := fmt.Sprint(s["reason"]); !strings.Contains(reason, "total weight") {
		t.Errorf("reason is %q", reason)
	}
	a.reaches(t, routeTable, "Accepted", "Accepted")
	gatewaytest.Holds(t, 5*settle, a.inForce(30))
}

func testStatusWrites(t *testing.T, a *api) {
	before := a.get(t, routeTable).GetGeneration()
	a.apply(t, upstreamObjects())
	a.reaches(t, routeTable, "Accepted", "Accepted")
	a.reaches(t, virtualService, "Accepted", "Accepted")
	s := a.reaches(t, canaryUpstream, "Accepted", "")
	if s["reportedBy"] != "gloo" {
		t.Errorf("status of the Upstream is %v", s)
	}
	// Nobody touched the table's spec, only its verdict is new.
	if after := a.get(t, routeTable).GetGeneration(); after <= before {
		t.Errorf("generation went from %d to %d; a status without subresource raises it", before, after)
	}
	err := a.Status().Patch(t.Context(), ofNamed(routeTable), client.RawPatch(types.MergePatchType, []byte(`{"status":{}}`)))
	if client.IgnoreNotFound(err) != nil || err == nil {
		t.Errorf("patching the status subresource: %v; there is none", err)
	}
}

func ofNamed(id gloo.ID) *unstructured.Unstructured {
	u := ofKind(id.Kind)
	u.SetNamespace(id.Namespace)
	u.SetName(id.Name)
	return u
}

func testUnchanged(t *testing.T, a *api) {
	a.apply(t, routeTableObject(70, 30))
	written := a.get(t, routeTable).GetResourceVersion()
	gatewaytest.Eventually(t, 20*time.Second, a.inForce(30))
	gatewaytest.Holds(t, 5*settle, func() error {
		if now := a.get(t, routeTable).GetResourceVersion(); now != written {
			return fmt.Errorf("table was written again: resourceVersion %s, then %s", written, now)
		}
		return nil
	})
}

func testForeignStatus(t *testing.T, a *api) {
	patch := client.RawPatch(types.MergePatchType, []byte(`{"status":{"statuses":{"other":{"state":"Rejected"},"gloo-system":null}}}`))
	if err := a.Patch(t.Context(), ofNamed(routeTable), patch); err != nil {
		t.Fatal(err)
	}
	a.reaches(t, routeTable, "Accepted", "Accepted")
	other, _, err := unstructured.NestedString(a.get(t, routeTable).Object, "status", "statuses", "other", "state")
	if err != nil || other != "Rejected" {
		t.Errorf("status of the other control plane is %q, error %v", other, err)
	}
}

func testReject(t *testing.T, a *api) {
	a.apply(t, faultsObject(`reject: "not today"`))
	s := a.reaches(t, routeTable, "Rejected", "Accepted")
	if s["reason"] != "1 error occurred:\n\t* not today\n\n" {
		t.Errorf("reason is %q", s["reason"])
	}
	a.reaches(t, virtualService, "Rejected", "Accepted")
	a.apply(t, routeTableObject(60, 40))
	gatewaytest.Holds(t, 5*settle, a.inForce(30))
	if err := a.Delete(t.Context(), faultsConfigMap()); err != nil {
		t.Fatal(err)
	}
	s = a.reaches(t, routeTable, "Accepted", "Accepted")
	if reason, ok := s["reason"]; ok {
		t.Errorf("reason %q of an earlier status stayed", reason)
	}
	gatewaytest.Eventually(t, 20*time.Second, a.inForce(40))
}

func testDelay(t *testing.T, a *api) {
	const delay = 1500 * time.Millisecond
	a.apply(t, faultsObject(fmt.Sprintf("delay: %v", delay)))
	gatewaytest.Eventually(t, 20*time.Second, func() error {
		f, err := a.plane.watcher.faults(t.Context())
		if err == nil && f.delay != delay {
			err = fmt.Errorf("delay is %v", f.delay)
		}
		return err
	})
	start := time.Now()
	a.apply(t, routeTableObject(50, 50))
	gatewaytest.Eventually(t, 20*time.Second, a.inForce(50))
	if took := time.Since(start); took < delay {
		t.Errorf("weight is in force after %v, asked for %v", took, delay)
	}
}

func testPause(t *testing.T, a *api) {
	a.apply(t, faultsObject(`paused: "true", delay: 0s`))
	gatewaytest.Eventually(t, 20*time.Second, func() error {
		f, err := a.plane.watcher.faults(t.Context())
		if err == nil && !f.paused {
			err = fmt.Errorf("not paused")
		}
		return err
	})
	a.apply(t, routeTableObject(40, 60))
	gatewaytest.Holds(t, 5*settle, a.inForce(50))
	a.apply(t, faultsObject(`paused: "false", delay: 0s`))
	gatewaytest.Eventually(t, 20*time.Second, a.inForce(60))
}

func faultsConfigMap() *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: faultsName, Namespace: "gloo-system"}}
}
