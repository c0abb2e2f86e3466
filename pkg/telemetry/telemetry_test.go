package telemetry

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/analysis"
)

// series counts those of each name.
func series(t *testing.T, r *prometheus.Registry) map[string]int {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	for _, f := range families {
		n[f.GetName()] = len(f.GetMetric())
	}
	return n
}

func makeCanary(name string, phase v1beta1.Phase, history ...v1beta1.RolloutRecord) *v1beta1.Canary {
	c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: name}}
	c.Status.Phase, c.Status.CanaryWeight, c.Status.History = phase, v1beta1.Percent(20), history
	return c
}

func record(number int64) v1beta1.RolloutRecord {
	start := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	return v1beta1.RolloutRecord{Number: number, Outcome: v1beta1.OutcomePromoted,
		StartedAt: metav1.NewTime(start), EndedAt: metav1.NewTime(start.Add(90 * time.Second))}
}

// TestNothingGrowsWithDeletedCanaries: a cluster that creates and deletes for years costs what it
// has.
func TestNothingGrowsWithDeletedCanaries(t *testing.T) {
	r := prometheus.NewRegistry()
	m := New(r, "v1")
	for _, phase := range []v1beta1.Phase{v1beta1.PhaseInitializing, v1beta1.PhaseInitialized, v1beta1.PhaseProgressing} {
		m.Observe(makeCanary("podinfo", phase))
		m.Observe(makeCanary("other", phase))
	}
	want := map[string]int{"serin_info": 1, "serin_leader": 1, "serin_canary_phase": 2, "serin_canary_weight": 2, "serin_canary_checks": 4}
	if diff := cmp.Diff(want, series(t, r)); diff != "" {
		t.Errorf("series of two canaries (-want +got):\n%s", diff)
	}
	m.Forget(types.NamespacedName{Namespace: "apps", Name: "podinfo"})
	m.Forget(types.NamespacedName{Namespace: "apps", Name: "other"})
	if diff := cmp.Diff(map[string]int{"serin_info": 1, "serin_leader": 1}, series(t, r)); diff != "" {
		t.Errorf("series of none (-want +got):\n%s", diff)
	}
}

// TestRolloutsAreCountedOnce: neither a second look nor a restart counts one again.
func TestRolloutsAreCountedOnce(t *testing.T) {
	r := prometheus.NewRegistry()
	m := New(r, "v1")
	m.Observe(makeCanary("podinfo", v1beta1.PhaseSucceeded, record(1))) // ended before this process began
	m.Observe(makeCanary("podinfo", v1beta1.PhaseSucceeded, record(1), record(2)))
	m.Observe(makeCanary("podinfo", v1beta1.PhaseSucceeded, record(1), record(2)))
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "serin_rollout_duration_seconds" {
			continue
		}
		h := f.GetMetric()[0].GetHistogram()
		if h.GetSampleCount() != 1 || h.GetSampleSum() != 90 {
			t.Errorf("counted %d rollouts of %v s, want 1 of 90 s", h.GetSampleCount(), h.GetSampleSum())
		}
		return
	}
	t.Error("no rollout was counted")
}

func TestDeliveriesAndQueriesAreCountedByResult(t *testing.T) {
	r := prometheus.NewRegistry()
	m := New(r, "v1")
	m.Told("slack", nil)
	m.Told("slack", errors.New("away"))
	m.Queried(analysis.Measured)
	m.Queried(analysis.NoData)
	m.Queried(analysis.NoData)
	m.Lead()
	want := map[string]int{"serin_info": 1, "serin_leader": 1, "serin_notifications_total": 2, "serin_metric_queries_total": 2}
	if diff := cmp.Diff(want, series(t, r)); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
}

func TestNoMetricsAreNoFault(t *testing.T) {
	var m *Metrics
	m.Observe(makeCanary("podinfo", v1beta1.PhaseInitialized))
	m.Told("slack", nil)
	m.Queried(analysis.Measured)
	m.Forget(types.NamespacedName{})
}
