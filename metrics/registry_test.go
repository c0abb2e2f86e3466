package metrics_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/metrics"
)

func TestRegistry(t *testing.T) {
	var r metrics.Registry
	factory := func(metrics.Config) (metrics.Provider, error) { return nil, nil }
	for _, providerType := range []string{"prometheus", "datadog"} {
		if err := r.Add(providerType, factory); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"datadog", "prometheus"}, r.Types()); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}
	if f, err := r.Get("datadog"); f == nil || err != nil {
		t.Errorf("a registered type: %v", err)
	}
	if err := r.Add("datadog", factory); err == nil {
		t.Error("the second factory of a type was taken")
	}
	_, err := r.Get("prometeus")
	want := `metric provider "prometeus" is not built into this operator; it has: datadog, prometheus. Set spec.provider.type to one of them`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
