// Package chaos disturbs whole rollouts on a real API server and demands that nothing of it shows: the
// operator is stopped at each of its writes, runs twice at once, and has each of its calls fail. The API
// server, the operator with all of its wiring, and Gloo's kinds are real; pods and Prometheus are stood
// in for, and the sinks are memory: one is well, one is down for a while in mid-run, and one is always down.
//
// Without -full it tries a sample. Both print what they tried as tables, which docs/reliability.md shows.
package chaos

import (
	"context"
	"flag"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/serin-dev/serin/pkg/apitest"
)

var full = flag.Bool("full", false, "try every point and not only a sample")

// TestMain runs many worlds at once: most of each is waiting for intervals to pass. With the race
// detector, which slows the sample, they are fewer.
func TestMain(m *testing.M) {
	flag.Parse()
	worlds := "24"
	if *full {
		worlds = "48"
	}
	if err := flag.Set("test.parallel", worlds); err != nil {
		panic(err)
	}
	ctrl.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())
	apitest.Main(m)
}

// undisturbed is a scenario's run that nothing happens to.
type undisturbed struct {
	once  sync.Once
	end   *end
	calls []call
}

// reference plays a scenario undisturbed, once for all tests.
func reference(t *testing.T, s *scenario) *undisturbed {
	t.Helper()
	r := &s.undisturbed
	r.once.Do(func() {
		w := newWorld(t, s)
		p := w.perform(s, trap{})
		w.calm()
		e, err := w.end()
		must(t, err)
		w.check(w.ledger.repeats())
		if diff := cmp.Diff(s.weights, e.Weights); diff != "" {
			t.Errorf("the route's weights (-want +got):\n%s\n%s", diff, w.story())
		}
		if diff := cmp.Diff(s.outcomes, e.Outcomes); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(slices.Sorted(slices.Values(e.Decisions)), e.Events); diff != "" {
			t.Errorf("events (-journal +got):\n%s", diff)
		}
		for _, sink := range sinks {
			if diff := cmp.Diff(e.Decisions, e.Messages[sink]); diff != "" {
				t.Errorf("messages to %s (-journal +got):\n%s", sink, diff)
			}
		}
		r.end, r.calls = e, p.wire.made()
	})
	if r.end == nil || t.Failed() {
		t.Fatal("the undisturbed run is not what it should be")
	}
	return r
}

// perform plays a scenario with a trap for its first operator, which it returns.
func (w *world) perform(s *scenario, tr trap) *process {
	w.t.Helper()
	var p *process
	if s.adopts {
		w.unsteady.fallIll()
		p = w.supervise(tr)
	} else {
		p = w.supervise(trap{})
		w.until("podinfo is adopted", rests(0))
		w.calm()
		for _, other := range w.all() {
			other.wire.arm(trap{})
		}
		p.wire.arm(tr)
		w.unsteady.fallIll()
	}
	s.play(w)
	w.until("it has ended", s.ended)
	return p
}

// calm waits until the last operator knows all and does nothing.
func (w *world) calm() {
	w.t.Helper()
	err := wait.PollUntilContextTimeout(w.ctx, 50*time.Millisecond, patient, true, func(ctx context.Context) (bool, error) {
		return w.quietFor(time.Second), nil
	})
	if err != nil {
		w.t.Fatalf("no operator comes to rest: %v\n%s", w.failures(), w.story())
	}
}

// check holds all that was seen against what must never be.
func (w *world) check(alsoBad []string) {
	w.t.Helper()
	history, _ := w.observer.history()
	for _, v := range slices.Concat(violations(history), w.ledger.disorder(), alsoBad) {
		w.t.Error(v)
	}
}

// endsLike waits for the end that the undisturbed run has come to, and for everybody to be at rest.
func (w *world) endsLike(want *end) {
	w.t.Helper()
	w.calm()
	var diff string
	err := wait.PollUntilContextTimeout(w.ctx, 100*time.Millisecond, patient, true, func(ctx context.Context) (bool, error) {
		got, err := w.end()
		if err != nil {
			return false, err
		}
		diff = cmp.Diff(want, got)
		return diff == "", nil
	})
	if err != nil {
		w.t.Errorf("it ended otherwise (-undisturbed +disturbed):\n%s\n%s", diff, w.story())
	}
}

// sample takes so many, by chance but always the same, unless all are asked for.
func sample[P any](all []P, n int) []P {
	if *full || len(all) <= n {
		return all
	}
	var some []P
	for _, i := range rand.New(rand.NewPCG(uint64(len(all)), uint64(n))).Perm(len(all))[:n] {
		some = append(some, all[i])
	}
	return some
}
