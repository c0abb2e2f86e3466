package canary

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/notifier"
	notes "github.com/serin-dev/serin/notifier/fake"
)

// clock is set by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// journalled is a canary whose transitions 1 to n have been decided at noon, and none told.
func journalled(n int64) *v1beta1.Canary {
	c := inRun("podinfo")
	for i := int64(1); i <= n; i++ {
		c.Status.Journal = append(c.Status.Journal, entry(i))
	}
	return c
}

func entry(transition int64) v1beta1.JournalEntry {
	return v1beta1.JournalEntry{At: metav1.NewTime(noon), Transition: transition, Reason: fmt.Sprint("R", transition),
		Moment: "Held", Severity: "info", Rollout: 1, What: fmt.Sprint("entry ", transition)}
}

// telling runs a teller with two sinks of the operator's own, well and ill.
func telling(t *testing.T, c *clock) (_ *teller, well, ill *notes.Notifier) {
	t.Helper()
	s := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	well, ill = &notes.Notifier{}, &notes.Notifier{}
	tell := newTeller(&audience{client: fake.NewClientBuilder().WithScheme(s).Build(), own: map[string]notifier.Notifier{"well": well, "ill": ill}},
		func(types.NamespacedName) {}, nil, c.now)
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() { defer close(stopped); _ = tell.run(ctx) }()
	t.Cleanup(func() { cancel(); <-stopped })
	return tell, well, ill
}

func (t *teller) standingIn(c *v1beta1.Canary, sink string) standing {
	_, st := t.look(delivery{called(c.Name), sink})
	return st
}

// TestASinkThatFailsHoldsNobodyBack: the next status has its own place beside that of all, and the next
// process tells it what it lacks and nobody else anything. After a minute the status says why.
func TestASinkThatFailsHoldsNobodyBack(t *testing.T) {
	for sentence, test := range map[string]struct {
		after   time.Duration
		message string
	}{
		"a moment": {0, ""},
		"a minute": {grace, "connection refused"},
	} {
		t.Run(sentence, func(t *testing.T) {
			now := &clock{at: noon}
			tell, well, ill := telling(t, now)
			ill.Fail(fmt.Errorf("connection refused"), fmt.Errorf("connection refused"))
			c := journalled(3)
			tell.tell(c)
			soon(t, "the other one has everything", func() bool { return len(well.Deliveries()) == 3 })
			soon(t, "it has failed", func() bool { return tell.standingIn(c, "ill").failures == 1 })
			now.pass(test.after)
			var rec record
			soon(t, "events are there too", func() bool { rec, _ = tell.delivered(c); return rec.settled })
			want := []v1beta1.SinkStatus{{Name: "ill", Told: 0, Message: test.message}}
			if diff := cmp.Diff(want, rec.sinks); diff != "" || rec.told != 3 || (rec.reached == 3) != (test.message != "") {
				t.Errorf("told %d, reached %d (-want +got):\n%s", rec.told, rec.reached, diff)
			}

			c.Status.Told, c.Status.Sinks = rec.told, rec.sinks
			next, well, ill := telling(t, now)
			next.tell(c)
			soon(t, "the sink has everything", func() bool { return len(ill.Deliveries()) == 3 })
			soon(t, "the status is to say so", func() bool { rec, _ := next.delivered(c); return rec.news(c) && len(rec.sinks) == 0 })
			if n := len(well.Deliveries()); n > 0 {
				t.Errorf("the other one is told %d messages again", n)
			}
		})
	}
}

// TestASlowSinkHasItsOwnPlace in a commit that comes meanwhile, which moves on with it, and wakes nobody for
// a write of its own.
func TestASlowSinkHasItsOwnPlace(t *testing.T) {
	c := journalled(2)
	c.Status.Sinks = []v1beta1.SinkStatus{{Name: "ill"}}
	b := &box{canary: c, sinks: map[string]*standing{"events": {done: through(2)}, "well": {done: through(2)}, "ill": {done: through(1)}}}
	tell, _, _ := telling(t, &clock{at: noon})
	rec := tell.recordOf(b)
	if diff := cmp.Diff([]v1beta1.SinkStatus{{Name: "ill", Told: 1}}, rec.sinks); diff != "" || rec.told != 2 || rec.settled {
		t.Errorf("told %d, settled %t (-want +got):\n%s", rec.told, rec.settled, diff)
	}
	b.sinks["events"].done, b.sinks["well"].done, c.Status.Told = through(0), through(1), 1
	if rec := tell.recordOf(b); rec.told != 1 || len(rec.sinks) != 1 || rec.sinks[0].Name != "events" {
		t.Errorf("behind what was told already: %+v", rec)
	}
}

// TestWhatIsADayOldIsNoNews: a sink that comes back is told what is new and how much it missed, and nothing
// waits for ever.
func TestWhatIsADayOldIsNoNews(t *testing.T) {
	now := &clock{at: noon}
	tell, _, ill := telling(t, now)
	ill.Fail(&notifier.RetryAfter{After: time.Second, Err: errors.New("too many")})
	c := journalled(2)
	tell.tell(c)
	soon(t, "it has failed", func() bool { return tell.standingIn(c, "ill").failures == 1 })
	now.pass(staleAfter + time.Minute)
	c.Status.Journal = append(c.Status.Journal, v1beta1.JournalEntry{At: metav1.NewTime(now.now()), Transition: 3, Moment: "Notice", Severity: "info", What: "entry 3"})
	tell.tell(c)
	soon(t, "everything is settled", func() bool { rec, _ := tell.delivered(c); return rec.settled && rec.told == 3 && len(rec.sinks) == 0 })
	if diff := cmp.Diff([]string{missedTwo, "apps/podinfo · entry 3"}, ill.Sentences()); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// TestWhatComesIsTriedAtOnce, whatever the pause that a failure asked for.
func TestWhatComesIsTriedAtOnce(t *testing.T) {
	now := &clock{at: noon}
	tell, _, ill := telling(t, now)
	ill.Fail(&notifier.RetryAfter{After: time.Hour, Err: errors.New("no such AlertProvider")})
	c := journalled(1)
	tell.tell(c)
	soon(t, "it has failed", func() bool { return tell.standingIn(c, "ill").failures == 1 })
	var rec record
	soon(t, "nobody is being told", func() bool { rec, _ = tell.delivered(c); return rec.settled })
	if len(rec.sinks) != 1 || rec.sinks[0].Message == "" {
		t.Errorf("a sink that asks for more than the cursor's patience is not listed: %+v", rec)
	}
	tell.again(called("podinfo"))
	soon(t, "it is told", func() bool { return len(ill.Deliveries()) == 1 })
}

func TestPausesGrow(t *testing.T) {
	st := &standing{}
	e := v1beta1.JournalEntry{Transition: 1}
	for i, longest := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300} {
		longest *= time.Second
		st.note(e, "", errors.New("down"), noon)
		if d := st.quiet.Sub(noon); d < longest/2 || d > longest {
			t.Errorf("after failure %d: a pause of %s, want %s to %s", i+1, d, longest/2, longest)
		}
	}
	if st.done.transition != 0 || !st.since.Equal(noon) {
		t.Errorf("after failures: %+v", st)
	}
}

// TestALateMessageIsAboutItsOwnRollout: the sink was away when the rollout ended, and the next has begun.
func TestALateMessageIsAboutItsOwnRollout(t *testing.T) {
	c := inRun("podinfo")
	r := c.Status.Rollout
	r.Number, r.Revision.Image, r.From.Image, r.WeightIndex = 2, "podinfo:6.0.2", "podinfo:6.0.0", 1
	c.Status.Phase, c.Status.CanaryWeight = v1beta1.PhaseProgressing, v1beta1.Percent(20)
	c.Status.Checks = []v1beta1.CheckStatus{{Name: "success rate"}}
	c.Status.History = []v1beta1.RolloutRecord{{Number: 1, Revision: "podinfo-1", Image: "podinfo:6.0.1", Outcome: v1beta1.OutcomeFailed,
		StartedAt: metav1.NewTime(noon.Add(-time.Minute)), EndedAt: metav1.NewTime(noon)}}
	got := message(c, v1beta1.JournalEntry{At: metav1.NewTime(noon), Transition: 7, Rollout: 1, Moment: "Ended", Severity: "error", Why: "it broke"}, "")
	want := notifier.Message{Key: "podinfo/7.0", Kind: notifier.Ended, Severity: notifier.Error, Canary: called("podinfo"), Rollout: 1,
		To: "podinfo:6.0.1", ToImage: "podinfo:6.0.1", What: "rolled back", Why: "it broke", Outcome: "Failed", Phase: "Failed",
		StartedAt: noon.Add(-time.Minute), At: noon}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
}

// TestTheOperatorsEventWebhook is told of canaries that have none of their own.
func TestTheOperatorsEventWebhook(t *testing.T) {
	a := &audience{eventWebhook: "http://events.test/"}
	own := inRun("own")
	own.Spec.Analysis = &v1beta1.CanaryAnalysis{Webhooks: []v1beta1.CanaryWebhook{{Name: "log", Type: v1beta1.HookEvent}}}
	for sentence, test := range map[string]struct {
		canary *v1beta1.Canary
		want   []string
	}{
		"without an analysis": {inRun("podinfo"), []string{"events", "event-webhook"}},
		"with a hook":         {own, []string{"events", "hook/0-log"}},
	} {
		var got []string
		for _, s := range a.of(test.canary) {
			got = append(got, s.name)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: sinks (-want +got):\n%s", sentence, diff)
		}
	}
}
