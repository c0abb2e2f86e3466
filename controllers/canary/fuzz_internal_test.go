package canary

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

// FuzzEndpointSlices lets somebody edit the EndpointSlices of a Service in any way: no more pods are ready than
// there are, and a bridge that was built from them is taken away whole and nothing else with it.
func FuzzEndpointSlices(f *testing.F) {
	for _, text := range []string{
		`[]`, `[{}]`, `[{"endpoints":null}]`, `[{"endpoints":[{"addresses":null,"conditions":{},"targetRef":{"name":"a"}}]}]`,
		`[{"endpoints":[{"targetRef":{"name":"a","uid":"1"},"conditions":{"ready":true,"terminating":true}},{"targetRef":{}},{}]}]`,
		`[{"addressType":"IPv4","endpoints":[{"targetRef":{"name":"a"}}]},{"addressType":"IPv6","endpoints":[{"targetRef":{"name":"a"}},{"targetRef":{"name":"b"}}]}]`,
		`[{"addressType":"FQDN","metadata":{"labels":{"endpointslice.kubernetes.io/managed-by":"x"}},"ports":[{"port":-1}]}]`,
	} {
		f.Add([]byte(text))
	}
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var all []discoveryv1.EndpointSlice
		if json.Unmarshal(text, &all) != nil || len(all) > 9 {
			return
		}
		objects := make([]client.Object, len(all))
		for i := range all {
			all[i].Namespace, all[i].Name = "apps", fmt.Sprintf("podinfo-primary-%d", i)
			all[i].ResourceVersion, all[i].DeletionTimestamp = "", nil
			all[i].Labels = map[string]string{discoveryv1.LabelServiceName: "podinfo-primary", discoveryv1.LabelManagedBy: all[i].Labels[discoveryv1.LabelManagedBy]}
			if all[i].Labels[discoveryv1.LabelManagedBy] == bridgeManager {
				return // it says that it is ours
			}
			objects[i] = &all[i]
		}
		r := &Reconciler{client: newFreshClient(fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build(), time.Now)}
		pods := map[string]bool{"a": true, "b": true}
		if n, err := r.readyIn(t.Context(), "apps", "podinfo-primary", pods); err != nil || n < 0 || int(n) > len(pods) {
			t.Errorf("%d of %d pods are ready: %v", n, len(pods), err)
		}
		if ready, known := count(all); ready > known {
			t.Errorf("%d of %d addresses are ready", ready, known)
		}
		if _, err := r.bridge(t.Context(), inRun("podinfo"), "podinfo-primary", "podinfo", "primary"); err != nil {
			t.Fatal(err)
		}
		built, err := r.slicesOf(t.Context(), "apps", "podinfo", true)
		if err != nil || len(built) != len(all) {
			t.Errorf("a bridge of %d slices for %d: %v", len(built), len(all), err)
		}
		if err := r.removeBridge(t.Context(), inRun("podinfo"), "podinfo"); err != nil {
			t.Fatal(err)
		}
		var left discoveryv1.EndpointSliceList
		if err := r.client.List(t.Context(), &left); err != nil || len(left.Items) != len(all) {
			t.Errorf("%d slices are left of %d: %v", len(left.Items), len(all), err)
		}
	})
}
