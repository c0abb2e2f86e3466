package prometheus_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/serin-dev/serin/metrics"
	"github.com/serin-dev/serin/metrics/metricstest"
	"github.com/serin-dev/serin/metrics/prometheus"
	"github.com/serin-dev/serin/metrics/prometheus/promtest"
)

// scraped is how long a fed sample may take to be seen, on a machine that is busy with other tests.
const scraped = 30 * time.Second

// backend is a real Prometheus and what it scrapes.
type backend struct {
	*promtest.Exporter
	provider metrics.Provider
	fed      int
}

func newBackend(t *testing.T) *backend {
	t.Helper()
	exporter := promtest.NewExporter(t)
	address := promtest.Start(t, exporter.Target())
	return &backend{Exporter: exporter, provider: newProvider(t, metrics.Config{Address: address, Timeout: scraped})}
}

func newProvider(t *testing.T, cfg metrics.Config) metrics.Provider {
	t.Helper()
	p, err := prometheus.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// comesTo waits until a query has a value.
func (b *backend) comesTo(t *testing.T, query string, want float64) {
	t.Helper()
	promtest.Eventually(t, scraped, fmt.Sprintf("%s is %v", query, want), func() bool {
		r, err := b.provider.Query(t.Context(), query)
		return err == nil && math.Abs(r.Value-want) < 1e-9
	})
}

func (b *backend) name(kind string) string {
	b.fed++
	return fmt.Sprintf("serin_%s_%d", kind, b.fed)
}

func (b *backend) number(t *testing.T, value float64) string {
	gauge := b.name("gauge")
	b.Set(gauge, value)
	b.comesTo(t, fmt.Sprintf("count(%s)", gauge), 1)
	return fmt.Sprintf("sum(%s)", gauge)
}

func (b *backend) several(t *testing.T, n int) string {
	gauge := b.name("several")
	for i := range n {
		b.Set(fmt.Sprintf("%s{pod=%q}", gauge, fmt.Sprint("pod-", i)), 1)
	}
	b.comesTo(t, fmt.Sprintf("count(%s)", gauge), float64(n))
	return gauge
}

func (b *backend) counter(t *testing.T, scrapes ...float64) metrics.Selector {
	selector := metrics.Selector{Series: "serin_counter_total", Label: "of", Pattern: b.name("counter")}
	series := fmt.Sprintf("%s{of=%q}", selector.Series, selector.Pattern)
	b.Set(series, scrapes...)
	b.comesTo(t, fmt.Sprintf("count_over_time(%s[1m]) >= bool %d", series, len(scrapes)), 1)
	return selector
}

func TestRealPrometheus(t *testing.T) {
	b := newBackend(t)
	t.Run("Conformance", func(t *testing.T) {
		metricstest.Run(t, metricstest.Harness{
			Provider:    b.provider,
			Down:        newProvider(t, metrics.Config{Address: closedPort(t)}),
			Reserved:    newProvider(t, metrics.Config{Address: "http://169.254.169.254"}),
			Nothing:     "serin_nothing",
			Malformed:   "sum(",
			NoSeries:    metrics.Selector{Series: "serin_counter_total", Label: "of", Pattern: "nobody"},
			BadSelector: metrics.Selector{Series: "serin_counter_total", Label: "of", Pattern: "("},
			Number:      b.number,
			Several:     b.several,
			Counter:     b.counter,
		})
	})
	t.Run("Shapes", func(t *testing.T) { shapes(t, b) })
	t.Run("SuccessRate", func(t *testing.T) { successRate(t, b) })
	t.Run("Duration", func(t *testing.T) { duration(t, b) })
}
