package apitest_test

import (
	"testing"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/pkg/apitest"
)

func TestMain(m *testing.M) { apitest.Main(m) }

func TestServerKnowsOurKinds(t *testing.T) {
	d, err := discovery.NewDiscoveryClientForConfig(apitest.Start(t))
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.ServerResourcesForGroupVersion("serin.dev/v1beta1")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]bool{}
	for _, r := range got.APIResources {
		kinds[r.Kind] = true
	}
	for _, want := range []string{"Canary", "MetricTemplate", "AlertProvider"} {
		if !kinds[want] {
			t.Errorf("the server does not serve %s", want)
		}
	}
}

func TestNamespacesAreUnique(t *testing.T) {
	c, err := client.New(apitest.Start(t), client.Options{Scheme: scheme.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := apitest.Namespace(t, c), apitest.Namespace(t, c); a == b {
		t.Errorf("two tests share the namespace %s", a)
	}
}
