package gloo

import (
	"fmt"

	"github.com/serin-dev/serin/router"
)

// Telemetry names Envoy's cluster statistics. Names are matched whole, never by a pattern that
// another namespace's canary could fit, and come from the apex: the target's name may differ.
//
// A cluster counts all that is sent to it. Requests that a rule sends to the canary are therefore
// among the canary's: beside rules its share of all requests is at least its weight, and tells nothing
// of it. So are the copies of a mirror, in the totals as in the codes and times: the checks see how the
// canary answers them, though nobody gets these answers. Of a request that the weights gave to the
// canary it then counts two.
//
// The success rate counts from zero where there is nothing but errors: a series for good answers
// does not exist before the first one.
func (r *Router) Telemetry(t router.Target) router.Telemetry {
	n := names{t}
	selector := func(series string, s side) router.Selector {
		return router.Selector{Series: series, Label: "envoy_cluster_name", Pattern: n.cluster(s) + "|" + n.gatewayCluster(s)}
	}
	rate := func(s side) string {
		answers := selector("envoy_cluster_upstream_rq", s)
		return fmt.Sprintf("100 * (sum(rate(%s[{{ interval }}])) or vector(0)) / sum(rate(%s[{{ interval }}]))",
			answers.Matching(`envoy_response_code!~"5.*"`), answers.Matching())
	}
	latency := func(s side) string {
		return fmt.Sprintf("histogram_quantile(0.99, sum(rate(%s[{{ interval }}])) by (le))", selector("envoy_cluster_upstream_rq_time_bucket", s).Matching())
	}
	return router.Telemetry{
		SuccessRate: rate(canary), Latency: latency(canary),
		PrimarySuccessRate: rate(primary), PrimaryLatency: latency(primary),
		PrimaryRequests: selector("envoy_cluster_upstream_rq_total", primary),
		CanaryRequests:  selector("envoy_cluster_upstream_rq_total", canary),
		PrimaryActive:   selector("envoy_cluster_upstream_rq_active", primary),
		CanaryActive:    selector("envoy_cluster_upstream_rq_active", canary),
	}
}
