package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/serin-dev/serin/notifier"
	notes "github.com/serin-dev/serin/notifier/fake"
)

// ledger is what reached the outside of all processes, in order: messages to sinks, and the commits
// between them.
type ledger struct {
	mu      sync.Mutex
	entries []entry
}

// entry is a message to a sink, or a commit, which has none.
type entry struct {
	process int
	sink    string
	of      place
}

// place is what a message is about: an entry of a Canary's journal.
type place struct {
	canary     string
	transition int64
	index      int32
}

// placeOf reads a message's key.
func placeOf(key string) place {
	uid, number, _ := strings.Cut(key, "/")
	p := place{canary: uid}
	if _, err := fmt.Sscanf(number, "%d.%d", &p.transition, &p.index); err != nil {
		panic(fmt.Sprintf("a message's key is %q", key))
	}
	return p
}

func (p place) String() string { return fmt.Sprintf("%d.%d", p.transition, p.index) }

func (p place) before(other place) bool {
	return p.canary == other.canary &&
		(p.transition < other.transition || p.transition == other.transition && p.index < other.index)
}

func (l *ledger) committed(process int) { l.write(entry{process: process}) }

func (l *ledger) write(e entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, e)
}

// told is what a sink knows, in the order in which it heard of it first.
func (l *ledger) told(sink string) []place {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []place
	for _, e := range l.entries {
		if e.sink == sink && !slices.Contains(all, e.of) {
			all = append(all, e.of)
		}
	}
	return all
}

// disorder are the messages that came after what was decided later.
func (l *ledger) disorder() []string {
	var bad []string
	for _, sink := range sinks {
		told := l.told(sink)
		for i, p := range told {
			if i > 0 && p.before(told[i-1]) {
				bad = append(bad, fmt.Sprintf("%s was told %s after %s", sink, p, told[i-1]))
			}
		}
	}
	return bad
}

// repeats are the messages that came to a sink twice for no good reason. The only one is a process that
// died between the sink's answer and its next commit; one commit more may have been on its way already.
func (l *ledger) repeats() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var bad []string
	latest := map[entry]int{} // but for the process
	for i, e := range l.entries {
		message := entry{sink: e.sink, of: e.of}
		at, again := latest[message]
		latest[message] = i
		if e.sink == "" || !again {
			continue
		}
		before := l.entries[at].process
		commits := 0
		for _, between := range l.entries[at:i] {
			if between.process == before && between.sink == "" {
				commits++
			}
		}
		switch {
		case before == e.process:
			bad = append(bad, fmt.Sprintf("process %d told %s %s twice", e.process, e.sink, e.of))
		case commits > 1:
			bad = append(bad, fmt.Sprintf("process %d told %s %s again, though %d commits followed when process %d told it",
				e.process, e.sink, e.of, commits, before))
		}
	}
	return bad
}

// The sinks that keep a ledger: one is always well, one is down for a while.
const steady, unsteady = "steady", "unsteady"

var sinks = []string{steady, unsteady}

// refused are the calls that the unsteady sink refuses once it falls ill, from 0; then it is well again.
// The pauses after them are about as long as a rollout here: whatever is decided meanwhile is committed
// while this sink is behind, and it catches up step by step.
var refused = []int{1, 2, 4, 6, 8}

// memory is a sink that all processes tell.
type memory struct {
	notes.Notifier

	mu    sync.Mutex
	ill   bool
	calls int // since it is
}

func (m *memory) fallIll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ill = true
}

func (m *memory) refuses() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.ill {
		return false
	}
	m.calls++
	return slices.Contains(refused, m.calls-1)
}

func (m *memory) Notify(ctx context.Context, msg notifier.Message, receipt string) (string, error) {
	if m.refuses() {
		return receipt, errDown
	}
	return m.Notifier.Notify(ctx, msg, receipt)
}

var errDown = errors.New("connection refused")

// mouth is how one process reaches a sink.
type mouth struct {
	*ledger
	wire *wire
	sink string
	to   *memory
}

// Notify tells the sink, unless the process dies.
func (m mouth) Notify(ctx context.Context, msg notifier.Message, receipt string) (string, error) {
	f, err := m.wire.enter(ctx, call{"tell", m.sink})
	if err != nil {
		return receipt, err
	}
	got, err := m.to.Notify(ctx, msg, receipt)
	if err == nil {
		m.write(entry{m.wire.process, m.sink, placeOf(msg.Key)})
	}
	if f == diesAfter {
		m.wire.die()
		return receipt, errDied
	}
	return got, err
}

// down is a sink that fails whatever it is told. It holds up nobody, and repeats nothing to another.
type down struct{}

func (down) Notify(_ context.Context, _ notifier.Message, receipt string) (string, error) {
	return receipt, errDown
}
