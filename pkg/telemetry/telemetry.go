// Package telemetry holds the metrics that Serin exports about itself. Series exist for canaries
// that exist: a deleted one takes its series with it.
package telemetry

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/analysis"
)

// Metrics are the operator's series, all named serin_*.
type Metrics struct {
	phase, weight *prometheus.GaugeVec
	failed        *prometheus.GaugeVec
	duration      *prometheus.HistogramVec
	told          *prometheus.CounterVec
	queries       *prometheus.CounterVec
	leader        prometheus.Gauge
	mu            sync.Mutex
	seen          map[types.NamespacedName]state
}

// state is what was last exported of a canary.
type state struct {
	phase   v1beta1.Phase
	rollout int64
	known   bool
}

// New registers the series.
func New(reg prometheus.Registerer, version string) *Metrics {
	object := []string{"namespace", "name"}
	m := &Metrics{
		phase: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "serin_canary_phase",
			Help: "1 for the phase that a canary is in."}, append(object, "phase")),
		weight: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "serin_canary_weight",
			Help: "Share of the traffic, in percent, that the canary is set to receive."}, object),
		failed: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "serin_canary_checks",
			Help: "Checks of the running or last rollout that did not pass, by verdict."}, append(object, "verdict")),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "serin_rollout_duration_seconds",
			Help: "Time from a rollout's first transition to its last, by outcome.", Buckets: []float64{30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400}},
			[]string{"outcome"}),
		told: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "serin_notifications_total",
			Help: "Deliveries to a sink, by result."}, []string{"sink", "result"}),
		queries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "serin_metric_queries_total",
			Help: "Queries of metric checks, by what they came to."}, []string{"result"}),
		leader: prometheus.NewGauge(prometheus.GaugeOpts{Name: "serin_leader", Help: "1 while this operator leads."}),
		seen:   map[types.NamespacedName]state{},
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{Name: "serin_info", Help: "1, with the operator's version.",
		ConstLabels: prometheus.Labels{"version": version}})
	info.Set(1)
	reg.MustRegister(m.phase, m.weight, m.failed, m.duration, m.told, m.queries, m.leader, info)
	return m
}

// Observe exports the committed status of a canary.
func (m *Metrics) Observe(c *v1beta1.Canary) {
	if m == nil {
		return
	}
	key := client.ObjectKeyFromObject(c)
	s := &c.Status
	m.mu.Lock()
	defer m.mu.Unlock()
	last := m.seen[key]
	if last.phase != s.Phase {
		m.phase.DeleteLabelValues(key.Namespace, key.Name, string(last.phase))
		m.phase.WithLabelValues(key.Namespace, key.Name, string(s.Phase)).Set(1)
	}
	m.weight.WithLabelValues(key.Namespace, key.Name).Set(s.CanaryWeight.Percent())
	m.failed.WithLabelValues(key.Namespace, key.Name, "failed").Set(float64(s.FailedChecks))
	m.failed.WithLabelValues(key.Namespace, key.Name, "inconclusive").Set(float64(s.InconclusiveChecks))
	now := state{phase: s.Phase, rollout: ended(s), known: true}
	if last.known && now.rollout > last.rollout {
		r := s.History[len(s.History)-1]
		m.duration.WithLabelValues(string(r.Outcome)).Observe(r.EndedAt.Sub(r.StartedAt.Time).Seconds())
	}
	m.seen[key] = now
}

// ended is the number of the last rollout that has ended; one that ended before this process began
// is not counted again.
func ended(s *v1beta1.CanaryStatus) int64 {
	if n := len(s.History); n > 0 {
		return s.History[n-1].Number
	}
	return 0
}

// Forget drops the series of a deleted canary.
func (m *Metrics) Forget(key types.NamespacedName) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.seen, key)
	labels := prometheus.Labels{"namespace": key.Namespace, "name": key.Name}
	m.phase.DeletePartialMatch(labels)
	m.weight.DeletePartialMatch(labels)
	m.failed.DeletePartialMatch(labels)
}

// Told counts a delivery.
func (m *Metrics) Told(sink string, err error) {
	if m == nil {
		return
	}
	m.told.WithLabelValues(sink, result(err)).Inc()
}

// Queried counts a metric query by what it came to: Measured, NoData, BadQuery or Unavailable.
func (m *Metrics) Queried(e analysis.Evidence) {
	if m == nil {
		return
	}
	m.queries.WithLabelValues(string(e)).Inc()
}

// Lead says that this operator leads from now on.
func (m *Metrics) Lead() { m.leader.Set(1) }

func result(err error) string {
	if err != nil {
		return "error"
	}
	return "ok"
}
