package prometheus_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/serin-dev/serin/metrics"
	"github.com/serin-dev/serin/metrics/prometheus/promtest"
)

// The queries for Envoy's cluster metrics, as the routers on Envoy and the authors of
// MetricTemplates write them. naiveRate is how success rates are often written: see the package
// comment for what is wrong with it.
const (
	naiveRate = `100 * sum(rate(envoy_cluster_upstream_rq{envoy_cluster_name="{{ target }}",envoy_response_code!~"5.."}[{{ interval }}]))
/ sum(rate(envoy_cluster_upstream_rq{envoy_cluster_name="{{ target }}"}[{{ interval }}]))`

	rightRate = `100 * (sum(rate(envoy_cluster_upstream_rq{envoy_cluster_name="{{ target }}",envoy_response_code!~"5.."}[{{ interval }}])) or vector(0))
/ sum(rate(envoy_cluster_upstream_rq{envoy_cluster_name="{{ target }}"}[{{ interval }}]))`

	p99 = `histogram_quantile(0.99, sum(rate(envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="{{ target }}"}[{{ interval }}])) by (le))`
)

func render(t *testing.T, query, cluster string) string {
	t.Helper()
	q, err := metrics.Render(query, metrics.Vars{Target: cluster, Interval: 10 * promtest.ScrapeInterval})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// requests lets a cluster answer with a code, so many times a scrape.
func (b *backend) requests(cluster, code string, perScrape float64) {
	b.Grow(fmt.Sprintf("envoy_cluster_upstream_rq{envoy_cluster_name=%q,envoy_response_code=%q}", cluster, code), perScrape)
}

func successRate(t *testing.T, b *backend) {
	b.requests("mixed", "200", 8)
	b.requests("mixed", "404", 1)
	b.requests("mixed", "503", 1)
	b.requests("broken", "500", 3)
	b.requests("broken", "503", 2)
	b.requests("healthy", "200", 5)
	b.requests("idle", "200", 0)

	t.Run("5xx are failures and 4xx are not", func(t *testing.T) { b.comesTo(t, render(t, rightRate, "mixed"), 90) })
	t.Run("no failures are 100", func(t *testing.T) { b.comesTo(t, render(t, rightRate, "healthy"), 100) })
	t.Run("nothing but failures is 0", func(t *testing.T) { b.comesTo(t, render(t, rightRate, "broken"), 0) })
	t.Run("nothing but failures is no data for the naive query", func(t *testing.T) {
		b.comesTo(t, render(t, rightRate, "broken"), 0) // there are samples to compute a rate from
		b.hasNoData(t, render(t, naiveRate, "broken"))
	})
	t.Run("a cluster without requests is no data", func(t *testing.T) {
		b.comesTo(t, `sum(rate(envoy_cluster_upstream_rq{envoy_cluster_name="idle"}[10s]))`, 0)
		b.hasNoData(t, render(t, rightRate, "idle"))
	})
	t.Run("a cluster that nobody has seen is no data", func(t *testing.T) {
		b.hasNoData(t, render(t, rightRate, "unknown"))
	})
	t.Run("a burst of a code never seen before is in no rate", func(t *testing.T) {
		b.requests("burst", "200", 5)
		b.Set(`envoy_cluster_upstream_rq{envoy_cluster_name="burst",envoy_response_code="503"}`, 100)
		b.comesTo(t, `min(count_over_time(envoy_cluster_upstream_rq{envoy_cluster_name="burst"}[1m])) >= bool 3`, 1)
		b.comesTo(t, render(t, rightRate, "burst"), 100)
	})
	t.Run("the raw counters tell how many requests there were", func(t *testing.T) {
		found, err := b.provider.(metrics.Bulk).Samples(t.Context(),
			[]metrics.Selector{{Series: "envoy_cluster_upstream_rq", Label: "envoy_cluster_name", Pattern: "mixed"}}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		got := found[0]
		if len(got) != 3 {
			t.Fatalf("got %d series, want one for each of 3 codes", len(got))
		}
		ok, _ := got[0].Increase()
		failed, _ := got[2].Increase()
		if ok == 0 || ok != 8*failed {
			t.Errorf("200 grew by %v and 503 by %v, want 8 to 1", ok, failed)
		}
	})
}

// duration: all requests took between 25 and 50 ms, so the 99th percentile is 99 % of the way.
func duration(t *testing.T, b *backend) {
	for le, perScrape := range map[string]float64{"25": 0, "50": 10, "100": 10, "+Inf": 10} {
		b.Grow(fmt.Sprintf("envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name=%q,le=%q}", "mixed", le), perScrape)
		b.Grow(fmt.Sprintf("envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name=%q,le=%q}", "idle", le), 0)
	}
	t.Run("the 99th percentile is in milliseconds", func(t *testing.T) { b.comesTo(t, render(t, p99, "mixed"), 49.75) })
	t.Run("without requests there is no percentile", func(t *testing.T) {
		b.comesTo(t, `sum(rate(envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="idle"}[10s]))`, 0)
		b.hasNoData(t, render(t, p99, "idle"))
	})
}

func (b *backend) hasNoData(t *testing.T, query string) {
	t.Helper()
	if r, err := b.provider.Query(t.Context(), query); !errors.Is(err, metrics.ErrNoData) {
		t.Errorf("got %v, %v; want no data", r.Value, err)
	}
}
