package canary_test

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	w.create(&discoveryv1.EndpointSlice{ // by an operator that stood still in front of it
		ObjectMeta: metav1.ObjectMeta{Namespace: w.ns, Name: "podinfo-bridge-late", Labels: map[string]string{
			discoveryv1.LabelServiceName: "podinfo", discoveryv1.LabelManagedBy: "serin.dev",
			v1beta1.CanaryLabel: "podinfo", v1beta1.RoleLabel: v1beta1.RolePrimary}},
		AddressType: discoveryv1.AddressTypeIPv4, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}}},
	})
	w.eventually("a bridge that was made late is gone", func() bool { return bridge() == 0 })
}

// TestABridgeLosesAPodThatGoes: an autoscaler takes one away while the Service turns, and nobody is sent
// there.
func TestABridgeLosesAPodThatGoes(t *testing.T) {
	w := newWorld(t)
	w.create(w.deployment("podinfo:6.0.0"), w.service(), w.canary())
	w.operate()
	ready := func() (pods []string) {
		var l discoveryv1.EndpointSliceList
		must(t, w.c.List(w.ctx, &l, client.InNamespace(w.ns),
			client.MatchingLabels{discoveryv1.LabelServiceName: "podinfo", discoveryv1.LabelManagedBy: "serin.dev"}))
		for _, s := range l.Items {
			for _, e := range s.Endpoints {
				if *e.Conditions.Ready {
					pods = append(pods, e.TargetRef.Name)
				}
			}
		}
		return pods
	}
	w.eventually("the bridge has the primary's two pods", func() bool { return len(ready()) == 2 })
	gone := ready()[0]
	must(t, w.c.Delete(w.ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.ns, Name: gone}}))
	w.eventually("the bridge has another pod, or one less", func() bool {
		now := ready()
		if len(now) == 0 {
			t.Fatal("the bridge went with the pod in it")
		}
		return !slices.Contains(now, gone)
	})
}
