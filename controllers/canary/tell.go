package canary

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/pkg/telemetry"
)

// tellers is how many canaries are told of at once.
const tellers = 4

// teller delivers the journal's entries as events and notifications, in order, after their commit.
// The journal is the outbox and status.told its cursor: what a crash leaves untold is told after it.
// A sink that is down delays its messages and nothing else.
type teller struct {
	sinks   map[string]notifier.Notifier
	client  client.Client
	wake    func(types.NamespacedName)
	metrics *telemetry.Metrics
	cluster string
	queue   workqueue.TypedRateLimitingInterface[types.NamespacedName]

	mu    sync.Mutex
	boxes map[types.NamespacedName]*box
}

// box is what is known of one canary's deliveries since this process began.
type box struct {
	canary   *v1beta1.Canary
	told     int64
	receipts map[string]string
	rollout  int64
	// done counts, by sink, the entries of the first untold transition that it has: a sink that
	// works is not told twice because another does not.
	done map[string]mark
	// quietUntil is when a sink that asked to be left alone may be told again.
	quietUntil time.Time
}

// mark is the last entry that a sink has.
type mark struct {
	transition int64
	index      int32
}

func (m mark) before(e v1beta1.JournalEntry) bool {
	return e.Transition > m.transition || e.Transition == m.transition && e.Index > m.index
}

func newTeller(sinks map[string]notifier.Notifier, c client.Client, wake func(types.NamespacedName), m *telemetry.Metrics, cluster string) *teller {
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[types.NamespacedName](time.Second, 5*time.Minute)
	return &teller{sinks: sinks, client: c, wake: wake, metrics: m, cluster: cluster,
		queue: workqueue.NewTypedRateLimitingQueue(limiter), boxes: map[types.NamespacedName]*box{}}
}

// tell queues what the committed status has not told yet.
func (t *teller) tell(c *v1beta1.Canary) {
	n := len(c.Status.Journal)
	if n == 0 || c.Status.Journal[n-1].Transition <= c.Status.Told {
		return
	}
	name := client.ObjectKeyFromObject(c)
	t.mu.Lock()
	b := t.boxes[name]
	if b == nil || b.canary.UID != c.UID { // a recreated canary begins anew
		b = &box{done: map[string]mark{}, receipts: maps.Clone(c.Status.Receipts)}
		t.boxes[name] = b
	}
	b.canary = c.DeepCopy()
	fresh := c.Status.Journal[n-1].Transition > b.told
	t.mu.Unlock()
	if fresh {
		t.queue.Add(name)
	}
}

// delivered is the last transition that everybody was told of, and the sinks' receipts.
func (t *teller) delivered(c *v1beta1.Canary) (int64, map[string]string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.boxes[client.ObjectKeyFromObject(c)]
	if b == nil || b.canary.UID != c.UID {
		return 0, nil
	}
	return b.told, maps.Clone(b.receipts)
}

func (t *teller) forget(name types.NamespacedName) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.boxes, name)
}

// run works the queue until the context ends.
func (t *teller) run(ctx context.Context) error { return work(ctx, tellers, t.next, t.queue.ShutDown) }

func (t *teller) next(ctx context.Context) bool {
	name, stop := t.queue.Get()
	if stop {
		return false
	}
	defer t.queue.Done(name)
	t.mu.Lock()
	b := t.boxes[name]
	quiet := b != nil && time.Now().Before(b.quietUntil)
	t.mu.Unlock()
	if b == nil {
		return true
	}
	if quiet { // its end wakes the queue for the rest
		if err := t.events(ctx, b, t.newest(b)); err != nil {
			t.queue.AddRateLimited(name)
		}
		return true
	}
	err := t.deliver(ctx, b)
	if err == nil {
		t.queue.Forget(name)
		t.wake(name)
		return true
	}
	ctrl.Log.WithName("tell").Info("could not tell everybody; it will be tried again", "canary", name, "error", err.Error())
	if later, ok := errors.AsType[*notifier.RetryAfter](err); ok {
		t.mu.Lock()
		b.quietUntil = time.Now().Add(later.After)
		t.mu.Unlock()
		t.queue.AddAfter(name, later.After)
	} else {
		t.queue.AddRateLimited(name)
	}
	return true
}

// deliver brings every sink up to the journal's end, events first. The first error is returned
// after all sinks had their chance.
func (t *teller) deliver(ctx context.Context, b *box) error {
	c := t.newest(b)
	t.newRollout(b, c)
	first := t.events(ctx, b, c)
	for name, sink := range t.sinks {
		err := t.bring(b, c, name, func(e v1beta1.JournalEntry) error { return t.notify(ctx, b, c, name, sink, e) })
		if err != nil && first == nil {
			first = err
		}
	}
	if first == nil {
		t.mu.Lock()
		b.told = c.Status.Journal[len(c.Status.Journal)-1].Transition
		t.mu.Unlock()
	}
	return first
}

func (t *teller) newest(b *box) *v1beta1.Canary {
	t.mu.Lock()
	defer t.mu.Unlock()
	return b.canary
}

func (t *teller) events(ctx context.Context, b *box, c *v1beta1.Canary) error {
	return t.bring(b, c, "events", func(e v1beta1.JournalEntry) error { return t.event(ctx, c, e) })
}

// newRollout lets go of the receipts of the rollout before.
func (t *teller) newRollout(b *box, c *v1beta1.Canary) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := c.Status.Rollout; r != nil && r.Number != b.rollout {
		if b.rollout != 0 {
			b.receipts = nil
		}
		b.rollout = r.Number
	}
}

// bring tells one sink the entries that it does not have, in order, up to the first that fails.
func (t *teller) bring(b *box, c *v1beta1.Canary, sink string, tell func(v1beta1.JournalEntry) error) error {
	t.mu.Lock()
	at, known := b.done[sink]
	t.mu.Unlock()
	if !known {
		at = mark{transition: c.Status.Told, index: 1 << 30}
	}
	for _, e := range c.Status.Journal {
		if !at.before(e) {
			continue
		}
		err := tell(e)
		t.metrics.Told(sink, err)
		if err != nil {
			return err
		}
		at = mark{e.Transition, e.Index}
		t.mu.Lock()
		b.done[sink] = at
		t.mu.Unlock()
	}
	return nil
}

func (t *teller) notify(ctx context.Context, b *box, c *v1beta1.Canary, name string, sink notifier.Notifier, e v1beta1.JournalEntry) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	t.mu.Lock()
	receipt := b.receipts[name]
	t.mu.Unlock()
	receipt, err := sink.Notify(ctx, message(c, e, t.cluster), receipt)
	if receipt != "" {
		t.mu.Lock()
		if b.receipts == nil {
			b.receipts = map[string]string{}
		}
		b.receipts[name] = receipt
		t.mu.Unlock()
	}
	return err
}
