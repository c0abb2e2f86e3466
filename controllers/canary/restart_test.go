package canary_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/router"
)

// stillness is how long nothing must happen to count as rest.
const stillness = time.Second

func TestARestartAtRestAsksAndTellsNothing(t *testing.T) {
	w, op := adopted(t)
	w.setImage("podinfo:6.0.1")
	before := w.ends(1)
	told, events := len(w.sink.Deliveries()), w.reasons()
	op.stop()

	again := w.operate()
	w.observed(again)
	if writes := again.requests.writes(); len(writes) > 0 {
		t.Errorf("a restart wrote %v", writes)
	}
	if diff := cmp.Diff(before.Status, w.get().Status); diff != "" {
		t.Errorf("the status changed (-before +after):\n%s", diff)
	}
	if n := len(w.sink.Deliveries()); n != told {
		t.Errorf("%d messages were told again", n-told)
	}
	if diff := cmp.Diff(events, w.reasons()); diff != "" {
		t.Errorf("events (-before +after):\n%s", diff)
	}
}

func TestIdleIsFree(t *testing.T) {
	w, op := adopted(t)
	w.eventually("it is at rest", func() bool { return w.toldAll() && op.requests.quietFor(stillness) })
	asked, queries := len(op.requests.all()), len(w.prom.Queries())
	w.stays("it is at rest", 5*stillness, func() bool {
		return len(op.requests.all()) == asked && len(w.prom.Queries()) == queries
	})
}

// TestAKilledOperatorIsContinued: the next one ends the run where the last one left it.
func TestAKilledOperatorIsContinued(t *testing.T) {
	w, op := adopted(t)
	w.setImage("podinfo:6.0.1")
	w.takesWeight(50)
	op.stop()
	w.operate()
	c := w.ends(1)
	if c.Status.Phase != v1beta1.PhaseSucceeded {
		t.Errorf("ended as %s\n%s", c.Status.Phase, w.story())
	}
	if diff := cmp.Diff(split(0, 50, 0), w.router.Shifts(w.key())); diff != "" {
		t.Errorf("the route's weights (-want +got):\n%s", diff)
	}
}

// TestTwoOperatorsNeverUndoEachOthersSteps: both work on the same canary without an election. Each
// weight is taken once and every decision is told once.
func TestTwoOperatorsNeverUndoEachOthersSteps(t *testing.T) {
	w, _ := adopted(t, func(c *v1beta1.Canary) { c.Spec.Analysis.StepWeights = []int32{10, 30, 50} })
	w.operate()
	w.setImage("podinfo:6.0.1")
	c := w.ends(1)
	if c.Status.Phase != v1beta1.PhaseSucceeded {
		t.Errorf("ended as %s\n%s", c.Status.Phase, w.story())
	}
	if diff := cmp.Diff(split(0, 10, 30, 50, 0), w.router.Shifts(w.key())); diff != "" {
		t.Errorf("the route's weights (-want +got):\n%s", diff)
	}
	w.wantOneEventForEachDecision()
	w.atRest("podinfo:6.0.1")
}

func (w *world) wantOneEventForEachDecision() {
	w.t.Helper()
	want := map[string]int{}
	for _, e := range w.get().Status.Journal {
		want[e.Reason]++
	}
	if diff := cmp.Diff(want, w.reasons()); diff != "" {
		w.t.Errorf("events (-journal +got):\n%s", diff)
	}
}

// leavesAll is a canary whose deletion hands nothing back.
func leavesAll(c *v1beta1.Canary) { c.Spec.RevertOnDeletion = new(false) }

// TestARecreatedCanaryTakesUpWhatRuns: without a status it is not new when its primary exists.
func TestARecreatedCanaryTakesUpWhatRuns(t *testing.T) {
	w, _ := adopted(t, leavesAll)
	w.setImage("podinfo:6.0.1")
	w.ends(1)
	before := w.deploymentNamed("podinfo-primary")
	must(t, w.c.Delete(w.ctx, w.get()))
	w.create(w.canary())
	w.reaches(v1beta1.PhaseInitialized)
	if got := w.get().Status.Promoted.Image; got != "podinfo:6.0.1" {
		t.Errorf("%s is promoted, want what the primary runs", got)
	}
	after := w.deploymentNamed("podinfo-primary")
	if diff := cmp.Diff(before.Spec, after.Spec); diff != "" {
		t.Errorf("the primary was touched (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(split(0, 50, 0), w.router.Shifts(w.key())); diff != "" {
		t.Errorf("the route's weights (-want +got):\n%s", diff)
	}
	if first, now := w.stamp(before), w.get().Status.Transition; now <= first {
		t.Errorf("the counter begins anew at %d, below the primary's stamp of %d", now, first)
	}
}

// TestACanaryRecreatedInMidRunGoesBackFirst: the live weight is kept until the primary is known to
// serve, and whatever was on the canary is drained.
func TestACanaryRecreatedInMidRunGoesBackFirst(t *testing.T) {
	w, _ := adopted(t, leavesAll, func(c *v1beta1.Canary) { c.Spec.Analysis.Interval = "30s" })
	w.setImage("podinfo:6.0.1")
	w.takesWeight(50)
	w.eventually("the route follows", func() bool { return w.router.Serving(w.key()) == router.Percent(50) })
	must(t, w.c.Delete(w.ctx, w.get()))
	w.create(w.canary())
	w.eventually("the revision is promoted after all", func() bool {
		return w.get().Status.Phase == v1beta1.PhaseSucceeded && w.toldAll()
	})
	if diff := cmp.Diff(split(0, 50, 0, 50, 0), w.router.Shifts(w.key())); diff != "" {
		t.Errorf("the route's weights (-want +got):\n%s", diff)
	}
}

// TestMessagesWaitForASinkThatIsDown: they come later, in order, none is lost, and the rollout does
// not wait for them.
func TestMessagesWaitForASinkThatIsDown(t *testing.T) {
	w, _ := adopted(t)
	w.eventually("the adoption is told", w.toldAll)
	first := len(w.sink.Deliveries())
	away := errors.New("connection refused")
	w.sink.Fail(away, away, away, away)
	w.setImage("podinfo:6.0.1")
	c := w.ends(1)
	var want, got []string
	for _, e := range c.Status.Journal[first:] {
		want = append(want, e.Reason)
	}
	for _, d := range w.sink.Deliveries()[first:] {
		for _, e := range c.Status.Journal {
			if d.At.Equal(e.At.Time) && d.Next == e.Next && d.Why == e.Why {
				got = append(got, e.Reason)
				break
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-journal +delivered):\n%s", diff)
	}
}

// TestARestartOfAStalledCanaryTellsNothingAgain: it may be stalled for weeks.
func TestARestartOfAStalledCanaryTellsNothingAgain(t *testing.T) {
	w := newWorld(t)
	w.create(w.service(), w.canary())
	op := w.operate()
	w.eventually("it is told", w.toldAll)
	told := len(w.sink.Deliveries())
	op.stop()
	again := w.operate()
	w.observed(again)
	if writes := again.requests.writes(); len(writes) > 0 || len(w.sink.Deliveries()) != told {
		t.Errorf("a restart wrote %v and told %d messages again", writes, len(w.sink.Deliveries())-told)
	}
}

// TestASinkThatAsksToBeLeftAloneIs, and gets everything afterwards.
func TestASinkThatAsksToBeLeftAloneIs(t *testing.T) {
	w, _ := adopted(t)
	w.eventually("the adoption is told", w.toldAll)
	before := len(w.sink.Deliveries())
	begin := time.Now()
	w.sink.Fail(&notifier.RetryAfter{After: 5 * time.Second, Err: errors.New("too many messages")})
	w.setImage("podinfo:6.0.1")
	w.eventually("the events do not wait for it", func() bool { return w.isTold("WeightShifted") })
	if n := len(w.sink.Deliveries()); n != before {
		t.Errorf("told %d messages meanwhile", n-before)
	}
	w.eventually("the next message comes", func() bool { return len(w.sink.Deliveries()) > before })
	if waited := time.Since(begin); waited < 5*time.Second {
		t.Errorf("told again after %s", waited)
	}
	w.ends(1)
}
