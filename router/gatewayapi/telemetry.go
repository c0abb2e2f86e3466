package gatewayapi

import (
	"context"
	"fmt"

	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/internal/podmetrics"
)

// Telemetry names the series of the proxy behind the route, which its status tells. Where it is
// unknown, the pods' own are used.
func (r *Router) Telemetry(t router.Target) router.Telemetry {
	rt, err := r.route(context.Background(), t)
	if err != nil || !rt.exists() {
		return podmetrics.Telemetry()
	}
	for _, name := range rt.controllers() {
		if telemetry := implementations[name].telemetry; telemetry != nil {
			return telemetry(rt.names)
		}
	}
	return podmetrics.Telemetry()
}

// traefik names its services after the route, the rule and the backend. Before 3.7 it was the backend
// alone.
func traefik(n names) router.Telemetry {
	selector := func(series string, s side) router.Selector {
		return router.Selector{Series: series, Label: "service", Pattern: fmt.Sprintf(
			`httproute-%s-%s-gw-.+-svc-%s-%s-[0-9]+@kubernetesgateway|%s-%s-http-%d@kubernetesgateway`,
			n.Canary.Namespace, n.Apex, n.Canary.Namespace, n.service(s), n.Canary.Namespace, n.service(s), n.Port)}
	}
	const requests, times = "traefik_service_requests_total", "traefik_service_request_duration_seconds_bucket"
	rate := func(s side) string { return successRate(selector(requests, s), `code!~"5.*"`) }
	latency := func(s side) string { return "1000 * " + quantile(selector(times, s)) }
	return router.Telemetry{
		SuccessRate: rate(canary), Latency: latency(canary),
		PrimarySuccessRate: rate(primary), PrimaryLatency: latency(primary),
		PrimaryRequests: selector(requests, primary),
		CanaryRequests:  selector(requests, canary),
	}
}

// contour names Envoy's clusters after the Service in its statistics.
func contour(n names) router.Telemetry {
	selector := func(series string, s side) router.Selector {
		return router.Selector{Series: series, Label: "envoy_cluster_name", Pattern: fmt.Sprintf("%s_%s_%d", n.Canary.Namespace, n.service(s), n.Port)}
	}
	rate := func(s side) string {
		return successRate(selector("envoy_cluster_upstream_rq", s), `envoy_response_code!~"5.*"`)
	}
	latency := func(s side) string { return quantile(selector("envoy_cluster_upstream_rq_time_bucket", s)) }
	return router.Telemetry{
		SuccessRate: rate(canary), Latency: latency(canary),
		PrimarySuccessRate: rate(primary), PrimaryLatency: latency(primary),
		PrimaryRequests: selector("envoy_cluster_upstream_rq_total", primary),
		CanaryRequests:  selector("envoy_cluster_upstream_rq_total", canary),
		PrimaryActive:   selector("envoy_cluster_upstream_rq_active", primary),
		CanaryActive:    selector("envoy_cluster_upstream_rq_active", canary),
	}
}

// successRate counts from zero where there is nothing but errors: a series for good answers does not
// exist before the first one.
func successRate(answers router.Selector, good string) string {
	return fmt.Sprintf("100 * (sum(rate(%s[{{ interval }}])) or vector(0)) / sum(rate(%s[{{ interval }}]))", answers.Matching(good), answers.Matching())
}

func quantile(buckets router.Selector) string {
	return fmt.Sprintf("histogram_quantile(0.99, sum(rate(%s[{{ interval }}])) by (le))", buckets.Matching())
}
