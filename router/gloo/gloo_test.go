package gloo

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/gloo/api"
)

func TestGlooIsMissing(t *testing.T) {
	for name, tc := range map[string]struct {
		known []schema.GroupVersionKind
		want  string
	}{
		"altogether":      {nil, "RouteTable.v1.gateway.solo.io, VirtualService.v1.gateway.solo.io, Upstream.v1.gloo.solo.io"},
		"except for some": {[]schema.GroupVersionKind{api.RouteTable, api.VirtualService}, "Upstream.v1.gloo.solo.io"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(fake.NewClientBuilder().WithRESTMapper(mapper(tc.known...)).Build())
			nr := notReady(err)
			if nr == nil || nr.Problem.Reason != "GlooNotInstalled" || !strings.Contains(nr.Problem.Message, "does not know "+tc.want+":") {
				t.Errorf("New returns %v, want a problem that names %s", err, tc.want)
			}
		})
	}
}

func TestSideOf(t *testing.T) {
	n := names{router.Target{Canary: types.NamespacedName{Namespace: "a-b", Name: "x"}, Apex: "c", Port: 80}}
	for upstream, want := range map[string]side{
		"a-b-c-primaryupstream-80":   primary,
		"a-b-c-canaryupstream-80":    canary,
		"a-b-c-canaryupstream-8080":  canary,
		"a-b-c-canaryupstream-":      "",
		"a-b-c-canaryupstream-80-x":  "",
		"a-b-c-canaryupstream-99999": "",
		"b-c-canaryupstream-80":      "",
		"a-b-c-d-canaryupstream-80":  "",
		"a-b-c-80":                   "",
	} {
		if got, _ := n.sideOf(upstream); got != want {
			t.Errorf("%s is %q, want %q", upstream, got, want)
		}
	}
}

func TestTelemetry(t *testing.T) {
	w := inMemory(t)
	// The apex is not named after the Canary or its target.
	w.target.Apex, w.target.PrimaryService, w.target.CanaryService = "api", "api-primary", "api-canary"
	const (
		canaryClusters  = "apps-api-canaryupstream-9898_apps|kube-upstream_apps-api-canaryupstream-9898_apps_apps_api-canary_9898"
		primaryClusters = "apps-api-primaryupstream-9898_apps|kube-upstream_apps-api-primaryupstream-9898_apps_apps_api-primary_9898"
		canaryName      = `envoy_cluster_name=~"` + canaryClusters + `"`
		primaryName     = `envoy_cluster_name=~"` + primaryClusters + `"`
	)
	counted := func(series, clusters string) router.Selector {
		return router.Selector{Series: series, Label: "envoy_cluster_name", Pattern: clusters}
	}
	want := router.Telemetry{
		SuccessRate: `100 * (sum(rate(envoy_cluster_upstream_rq{` + canaryName + `,envoy_response_code!~"5.*"}[{{ interval }}])) or vector(0))` +
			` / sum(rate(envoy_cluster_upstream_rq{` + canaryName + `}[{{ interval }}]))`,
		Latency: `histogram_quantile(0.99, sum(rate(envoy_cluster_upstream_rq_time_bucket{` + canaryName + `}[{{ interval }}])) by (le))`,
		PrimarySuccessRate: `100 * (sum(rate(envoy_cluster_upstream_rq{` + primaryName + `,envoy_response_code!~"5.*"}[{{ interval }}])) or vector(0))` +
			` / sum(rate(envoy_cluster_upstream_rq{` + primaryName + `}[{{ interval }}]))`,
		PrimaryLatency:  `histogram_quantile(0.99, sum(rate(envoy_cluster_upstream_rq_time_bucket{` + primaryName + `}[{{ interval }}])) by (le))`,
		PrimaryRequests: counted("envoy_cluster_upstream_rq_total", primaryClusters),
		CanaryRequests:  counted("envoy_cluster_upstream_rq_total", canaryClusters),
		PrimaryActive:   counted("envoy_cluster_upstream_rq_active", primaryClusters),
		CanaryActive:    counted("envoy_cluster_upstream_rq_active", canaryClusters),
	}
	if diff := cmp.Diff(want, w.Telemetry(w.target)); diff != "" {
		t.Errorf("telemetry (-want +got):\n%s", diff)
	}
}
