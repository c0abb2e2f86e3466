package canary_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// TestABridgeHoldsTheServiceWhileItTurns: slices of ours have the primary's addresses before the
// selector is turned, and are gone once the adoption is over.
func TestABridgeHoldsTheServiceWhileItTurns(t *testing.T) {
	w := newWorld(t)
	w.create(w.deployment("podinfo:6.0.0"), w.service(), w.canary())
	w.operate()
	bridge := func() (addresses int) {
		var l discoveryv1.EndpointSliceList
		must(t, w.c.List(w.ctx, &l, client.InNamespace(w.ns),
			client.MatchingLabels{discoveryv1.LabelServiceName: "podinfo", discoveryv1.LabelManagedBy: "serin.dev"}))
		for _, s := range l.Items {
			addresses += len(s.Endpoints)
		}
		return addresses
	}
	w.eventually("the bridge has the primary's two addresses", func() bool { return bridge() == 2 })
	var apex corev1.Service
	w.read("podinfo", &apex)
	if got := apex.Spec.Selector["app"]; got != "podinfo" {
		t.Errorf("the Service selects %s before its bridge stands", got)
	}
	w.reaches(v1beta1.PhaseInitialized)
	if n := bridge(); n != 0 {
		t.Errorf("the bridge still has %d addresses after the adoption", n)
	}
}
