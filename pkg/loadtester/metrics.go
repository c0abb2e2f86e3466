package loadtester

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	open     prometheus.Gauge
	running  *prometheus.GaugeVec
	tasks    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	refused  *prometheus.CounterVec
	checks   *prometheus.CounterVec
	changes  *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		open: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "serin_loadtester_unauthenticated",
			Help: "1 when callers are not authenticated: whoever reaches the port can run commands. 0 when they are.",
		}),
		running: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "serin_loadtester_tasks_running",
			Help: "Commands that are running now, by task type.",
		}, []string{"type"}),
		tasks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "serin_loadtester_tasks_total",
			Help: "Commands that ended, by task type and result: passed, failed, timeout, or interrupted by a shutdown or a caller who went away.",
		}, []string{"type", "result"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "serin_loadtester_task_duration_seconds",
			Help:    "How long commands ran, by task type.",
			Buckets: prometheus.ExponentialBuckets(0.1, 4, 9),
		}, []string{"type"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "serin_loadtester_requests_refused_total",
			Help: "Requests that ran nothing and changed nothing, by reason.",
		}, []string{"reason"}),
		checks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "serin_loadtester_gate_checks_total",
			Help: "Gates that were asked, by kind (gate or rollback) and what they were: open or closed.",
		}, []string{"kind", "state"}),
		changes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "serin_loadtester_gate_changes_total",
			Help: "Gates that somebody set, by kind (gate or rollback) and to what: open or closed.",
		}, []string{"kind", "state"}),
	}
	reg.MustRegister(m.open, m.running, m.tasks, m.duration, m.refused, m.checks, m.changes)
	return m
}

// started counts a running command; the function it returns counts its end.
func (m *metrics) started(kind string) func(error, time.Duration) {
	m.running.WithLabelValues(kind).Inc()
	return func(err error, took time.Duration) {
		m.running.WithLabelValues(kind).Dec()
		m.tasks.WithLabelValues(kind, outcome(err)).Inc()
		m.duration.WithLabelValues(kind).Observe(took.Seconds())
	}
}

func outcome(err error) string {
	switch {
	case err == nil:
		return "passed"
	case errors.Is(err, errTimeout):
		return "timeout"
	case errors.Is(err, errShutdown), errors.Is(err, errCallerGone):
		return "interrupted"
	default:
		return "failed"
	}
}
