// Package podmetrics names what applications count themselves, for canaries whose proxy is unknown or
// is none.
package podmetrics

import "github.com/serin-dev/serin/router"

// Telemetry has the two built-in queries on http_request_duration_seconds. They are the same for both
// sides: {{ target }} is the workload that is asked about. There are no
// counters of the sides' requests: pods also count those of probes and of whoever reaches them past the
// proxy, so a share of theirs is not the route's and would contradict a weight that is in force.
func Telemetry() router.Telemetry {
	return router.Telemetry{SuccessRate: successRate, Latency: latency, PrimarySuccessRate: successRate, PrimaryLatency: latency}
}

const (
	// pods are a workload's as the Prometheus of this field's charts labels them. Their names are the
	// workload's with one random part (DaemonSet) or two.
	pods = `kubernetes_namespace="{{ namespace }}",kubernetes_pod_name=~"{{ target }}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)?"`

	successRate = `100 * (sum(rate(http_request_duration_seconds_count{` + pods + `,status!~"5.*"}[{{ interval }}])) or vector(0)) / ` +
		`sum(rate(http_request_duration_seconds_count{` + pods + `}[{{ interval }}]))`

	latency = `1000 * histogram_quantile(0.99, sum(rate(http_request_duration_seconds_bucket{` + pods + `}[{{ interval }}])) by (le))`
)
