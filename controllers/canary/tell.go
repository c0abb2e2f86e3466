package canary

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/telemetry"
)

// tellLanes bounds the deliveries under way, tellsEach those of one canary.
const tellLanes, tellsEach = 128, 16

// teller delivers the journal's entries to everybody who is told of a canary, in order, after their
// commit. The journal is the outbox and status.told its cursor: what a crash leaves untold is told
// after it. A sink that is down delays its own messages and nothing else.
type teller struct {
	audience *audience
	wake     func(types.NamespacedName)
	metrics  *telemetry.Metrics
	queue    workqueue.TypedDelayingInterface[delivery]
	lanes    *lanes
	now      func() time.Time

	mu    sync.Mutex
	boxes map[types.NamespacedName]*box
}

// delivery is what one sink has to be told of one canary.
type delivery struct {
	canary types.NamespacedName
	sink   string
}

// box is what is known of one canary's deliveries since this process began, by sink.
type box struct {
	uid types.UID
	// canary has what is to be told; nil once all of it is, and the status says so.
	canary *v1beta1.Canary
	sinks  map[string]*standing
}

func newTeller(a *audience, wake func(types.NamespacedName), m *telemetry.Metrics, now func() time.Time) *teller {
	return &teller{audience: a, wake: wake, metrics: m, now: now, lanes: newLanes(tellLanes, tellsEach),
		queue: workqueue.NewTypedDelayingQueue[delivery](), boxes: map[types.NamespacedName]*box{}}
}

// tell queues what the committed status has not told yet.
func (t *teller) tell(c *v1beta1.Canary) {
	if len(c.Status.Journal) == 0 {
		return
	}
	name := client.ObjectKeyFromObject(c)
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.boxes[name]
	if b == nil || b.uid != c.UID { // a recreated canary begins anew
		b = &box{uid: c.UID, sinks: map[string]*standing{}}
		t.boxes[name] = b
	}
	var before []v1beta1.JournalEntry
	if b.canary != nil {
		before = b.canary.Status.Journal
	}
	b.canary = c
	there := map[string]bool{}
	for _, s := range t.audience.of(b.canary) {
		there[s.name] = true
		st := b.sinks[s.name]
		if st == nil {
			st = standingOf(c, s.name) // what it has lost included
			b.sinks[s.name] = st
		} else {
			st.lost += lost(before, c.Status.Journal, s, st.done)
		}
		if st.told(c.Status.Journal) < last(c.Status.Journal) {
			t.queue.Add(delivery{name, s.name})
		}
	}
	maps.DeleteFunc(b.sinks, func(sink string, _ *standing) bool { return !there[sink] })
	if r := t.recordOf(b); r.complete && !r.news(c) {
		b.canary = nil // at rest there are thousands
		return
	}
	b.canary = c.DeepCopy() // the caller goes on with its own
}

// again tries at once those that could not be told: what they lacked may have come.
func (t *teller) again(name types.NamespacedName) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.boxes[name]
	if b == nil || b.canary == nil {
		return
	}
	for sink, st := range b.sinks {
		if st.told(b.canary.Status.Journal) < last(b.canary.Status.Journal) {
			st.eager, st.quiet = true, time.Time{}
			t.queue.Add(delivery{name, sink})
		}
	}
}

func (t *teller) forget(name types.NamespacedName) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.boxes, name)
}

// run delivers until the context ends.
func (t *teller) run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			d, stop := t.queue.Get()
			if stop {
				return
			}
			t.lanes.add(d.canary, func(ctx context.Context) {
				defer t.queue.Done(d)
				t.deliver(ctx, d)
			})
		}
	})
	err := t.lanes.run(ctx)
	t.queue.ShutDown()
	wg.Wait()
	return err
}

// deliver tells one sink what it has not been told, in order, up to the first entry that it cannot be
// told now.
func (t *teller) deliver(ctx context.Context, d delivery) {
	c, st := t.look(d)
	if c == nil {
		return
	}
	if left := st.quiet.Sub(t.now()); left > 0 {
		t.queue.AddAfter(d, left)
		return
	}
	s, ok := t.audience.named(c, d.sink)
	if !ok {
		return
	}
	for _, e := range c.Status.Journal {
		if !st.done.before(e) {
			continue
		}
		t.put(ctx, c, s, &st, e)
		t.keep(c, d, st)
		if st.failures > 0 {
			t.queue.AddAfter(d, st.quiet.Sub(t.now()))
			break
		}
	}
	t.report(d.canary)
}

// look returns the newest canary, nil when it is gone, and a copy of where the sink stands.
func (t *teller) look(d delivery) (*v1beta1.Canary, standing) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.boxes[d.canary]
	if b == nil || b.canary == nil || b.sinks[d.sink] == nil {
		return nil, standing{}
	}
	b.sinks[d.sink].eager = false
	return b.canary, *b.sinks[d.sink]
}

// put tells a sink of one entry, and before it of those that it missed. What is not for it, and what it
// could not be told for a day, is passed over.
func (t *teller) put(ctx context.Context, c *v1beta1.Canary, s sink, st *standing, e v1beta1.JournalEntry) {
	if !s.wants(e) {
		st.passOver(e)
		return
	}
	if t.now().Sub(e.At.Time) > staleAfter {
		st.owed++
		st.passOver(e)
		return
	}
	if missed := st.missed(); missed > 0 {
		if g := gap(c, e, missed); s.wants(g) && !t.send(ctx, c, s, st, g) {
			return
		}
		st.owed -= missed
	}
	t.send(ctx, c, s, st, e)
}

// send is false when the sink has to be told again.
func (t *teller) send(ctx context.Context, c *v1beta1.Canary, s sink, st *standing, e v1beta1.JournalEntry) bool {
	receipt, err := rescued(client.ObjectKeyFromObject(c), func() (string, error) { return s.tell(ctx, c, e, st.receiptFor(e)) })
	t.metrics.Told(s.label, err)
	st.note(e, receipt, err, t.now())
	if err != nil && ctx.Err() == nil {
		ctrl.Log.WithName("tell").Info("could not tell", "canary", client.ObjectKeyFromObject(c), "sink", s.name,
			"given up", st.failures == 0, "error", err.Error())
	}
	return st.failures == 0
}

// keep files where a sink stands, unless its canary has gone meanwhile.
func (t *teller) keep(c *v1beta1.Canary, d delivery, st standing) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.boxes[d.canary]
	if b == nil || b.uid != c.UID || b.sinks[d.sink] == nil {
		return
	}
	st.lost = b.sinks[d.sink].lost
	if st.eager = b.sinks[d.sink].eager; st.eager {
		st.quiet = time.Time{}
	}
	*b.sinks[d.sink] = st
}

// report wakes a canary whose status does not say who has been told.
func (t *teller) report(name types.NamespacedName) {
	t.mu.Lock()
	b := t.boxes[name]
	wake := false
	if b != nil && b.canary != nil {
		r := t.recordOf(b)
		wake = r.settled && r.news(b.canary)
	}
	t.mu.Unlock()
	if wake {
		t.wake(name)
	}
}

// record is what the status is to say of the deliveries.
type record struct {
	// told is how far somebody has been told, and sinks are those who have not, or who refused it.
	told  int64
	sinks []v1beta1.SinkStatus
	// reached is how far everybody has been told who has not failed for long.
	reached int64
	// receipts of the rollout that the status is about.
	receipts map[string]string
	// settled is true when nobody is being told: each has everything, or has failed.
	settled bool
	// complete is true when each has everything.
	complete bool
}

func (r record) news(c *v1beta1.Canary) bool {
	return r.told > c.Status.Told || !slices.Equal(r.sinks, c.Status.Sinks)
}

// delivered is the record of a canary; it is false while nothing is known.
func (t *teller) delivered(c *v1beta1.Canary) (record, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.boxes[client.ObjectKeyFromObject(c)]
	if b == nil || b.uid != c.UID {
		return record{}, false
	}
	now := *b
	now.canary = c
	return t.recordOf(&now), true
}

// recordOf adds up where the sinks stand that the canary has now. Whoever is behind has a place of its own
// from the first commit on, so that no crash repeats to one what another has not been told. Why it is behind
// is said once it is so for long: what passes by itself in a moment is not worth a write.
func (t *teller) recordOf(b *box) record {
	journal := b.canary.Status.Journal
	all := last(journal)
	r := record{told: b.canary.Status.Told, reached: all, settled: true, complete: true, receipts: map[string]string{}}
	for _, s := range t.audience.of(b.canary) {
		st := b.sinks[s.name]
		if st == nil {
			st = standingOf(b.canary, s.name)
		}
		if run := b.canary.Status.Rollout; run != nil && st.run == run.Number && st.receipt != "" {
			r.receipts[s.name] = st.receipt
		}
		told, late := st.told(journal), st.behind(t.now())
		r.told = max(r.told, told)
		if !late {
			r.reached = min(r.reached, told)
		}
		r.settled = r.settled && (told == all || st.failures > 0)
		r.complete = r.complete && told == all
		place := v1beta1.SinkStatus{Name: s.name, Told: told, Missed: st.missed()}
		if late || told == all {
			place.Message = clip(st.trouble, 1024)
		}
		r.sinks = append(r.sinks, place)
	}
	r.sinks = slices.DeleteFunc(r.sinks, func(s v1beta1.SinkStatus) bool { return s.Told == r.told && s.Message == "" && s.Missed == 0 })
	slices.SortFunc(r.sinks, func(a, b v1beta1.SinkStatus) int { return strings.Compare(a.Name, b.Name) })
	return r
}
