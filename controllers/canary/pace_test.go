package canary_test

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
)

// TestTheAutoscalerOfThePrimaryIsWrittenWhenItChanges: with its floor at the beginning of an adoption and
// of a rollout, without it at their ends, and in none of the turns between and after.
func TestTheAutoscalerOfThePrimaryIsWrittenWhenItChanges(t *testing.T) {
	w := newWorld(t)
	w.create(w.deployment("podinfo:6.0.0"), w.service(), w.autoscaler(), w.canary(autoscaled, func(c *v1beta1.Canary) {
		c.Spec.Analysis.StepWeights = []int32{10, 20, 30, 40}
	}))
	op := w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.setImage("podinfo:6.0.1")
	w.ends(1)
	w.eventually("it is at rest", func() bool { return w.toldAll() && op.requests.quietFor(stillness) })
	copies := slices.DeleteFunc(op.requests.writes(), func(line string) bool { return !strings.HasSuffix(line, "/horizontalpodautoscalers/podinfo-primary") })
	if len(copies) != 4 {
		t.Errorf("the copy was written %d times, want with and without a floor, twice: %v", len(copies), copies)
	}

	queries, writes := len(w.prom.Queries()), len(op.requests.writes())
	for usage := range int32(5) { // what the autoscaler's controller sees moves all the time
		for _, name := range []string{"podinfo", "podinfo-primary"} {
			var hpa autoscalingv2.HorizontalPodAutoscaler
			w.read(name, &hpa)
			hpa.Status.CurrentReplicas, hpa.Status.DesiredReplicas = 2, 2+usage
			must(t, w.c.Status().Update(w.ctx, &hpa))
		}
		w.wake()
		w.stays("nothing is written", stillness/2, func() bool { return len(op.requests.writes()) == writes })
	}
	if n := len(w.prom.Queries()); n != queries {
		t.Errorf("%d queries at rest", n-queries)
	}
}

// TestRestartsTakeNoStep: an operator that comes back five times within an interval looks at the rollout
// each time, and leaves the weight and the time of the next check as they are.
func TestRestartsTakeNoStep(t *testing.T) {
	w, op := adopted(t, func(c *v1beta1.Canary) {
		c.Spec.Analysis.Interval, c.Spec.Analysis.StepWeights = "5m", []int32{10, 20, 30, 40, 50}
	})
	w.setImage("podinfo:6.0.1")
	w.takesWeight(10)
	w.eventually("it waits for the interval", func() bool { return op.requests.quietFor(stillness) })
	before, queries := w.get().Status.Rollout, len(w.prom.Queries())
	for range 5 {
		op.stop()
		op = w.operate()
		w.observed(op)
	}
	if diff := cmp.Diff(before, w.get().Status.Rollout); diff != "" {
		t.Errorf("the rollout (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(split(0, 10), w.router.Shifts(w.key())); diff != "" {
		t.Errorf("the route's weights (-want +got):\n%s", diff)
	}
	if n := len(w.prom.Queries()); n != queries {
		t.Errorf("%d queries before the interval was over", n-queries)
	}
}

// TestEditsOfTheIntervalTakeTurns: however often it is edited, one turn of a canary is under way at a
// time, a hook is called once under a key, and no step is cut short: half of its interval is what a slow
// machine may take to write the one before.
func TestEditsOfTheIntervalTakeTurns(t *testing.T) {
	w := newWorld(t)
	var turns, most atomic.Int32
	w.sees.get = func(router.Target) {
		n := turns.Add(1)
		most.Store(max(most.Load(), n))
		time.Sleep(20 * time.Millisecond) // two that run at once would meet
		turns.Add(-1)
	}
	var mu sync.Mutex
	var shifts []time.Time
	w.sees.set = func(_ router.Target, t router.Traffic) {
		mu.Lock()
		defer mu.Unlock()
		shifts = append(shifts, time.Now())
	}
	load := receive(t)
	w.create(w.deployment("podinfo:6.0.0"), w.service(), w.canary(hooked(v1beta1.CanaryWebhook{Name: "load", URL: load.URL}), func(c *v1beta1.Canary) {
		c.Spec.Analysis.Interval, c.Spec.Analysis.StepWeights = "2s", []int32{10, 20, 30}
	}))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.setImage("podinfo:6.0.1")
	w.takesWeight(10)
	for i := 0; w.get().Status.Phase == v1beta1.PhaseProgressing; i++ {
		w.edit(func(c *v1beta1.Canary) { c.Spec.Analysis.Interval = []string{"2s", "2200ms"}[i%2] })
		time.Sleep(100 * time.Millisecond) // each edit makes a commit that is under way a conflict: some must get through
	}
	if c := w.ends(1); c.Status.Phase != v1beta1.PhaseSucceeded {
		t.Errorf("ended as %s\n%s", c.Status.Phase, w.story())
	}
	if most.Load() != 1 {
		t.Errorf("%d turns of one canary at once", most.Load())
	}
	if diff := cmp.Diff(split(0, 10, 20, 30, 0), w.router.Shifts(w.key())); diff != "" {
		t.Errorf("the route's weights (-want +got):\n%s", diff)
	}
	if keys := load.keys(); len(slices.Compact(slices.Sorted(slices.Values(keys)))) != len(keys) {
		t.Errorf("the hook was called more than once under a key: %v", keys)
	}
	for i := range shifts[1:] {
		if took := shifts[i+1].Sub(shifts[i]); took < time.Second {
			t.Errorf("step %d took %s", i+1, took)
		}
	}
}
