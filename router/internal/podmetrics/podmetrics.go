// Package podmetrics names what applications count themselves, for canaries whose proxy is unknown or
// is none.
package podmetrics

import "github.com/serin-dev/serin/router"

// pods selects the canary's pods as the Prometheus of this field's charts labels them. Their names are
// the workload's with one random part (DaemonSet) or two.
const pods = `kubernetes_namespace="{{ namespace }}",kubernetes_pod_name=~"{{ target }}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)?"`

// Telemetry has the two built-in queries on http_request_duration_seconds. There are no counters of the
// sides' requests: pods also count those of probes and of whoever reaches them past the proxy, so a
// share of theirs is not the route's and would contradict a weight that is in force.
func Telemetry() router.Telemetry {
	const count, bucket = "http_request_duration_seconds_count", "http_request_duration_seconds_bucket"
	return router.Telemetry{
		SuccessRate: `100 * (sum(rate(` + count + `{` + pods + `,status!~"5.*"}[{{ interval }}])) or vector(0)) / sum(rate(` + count + `{` + pods + `}[{{ interval }}]))`,
		Latency:     `1000 * histogram_quantile(0.99, sum(rate(` + bucket + `{` + pods + `}[{{ interval }}])) by (le))`,
	}
}
