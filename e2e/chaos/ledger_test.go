package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/serin-dev/serin/notifier"
	notes "github.com/serin-dev/serin/notifier/fake"
)

// ledger is what reached the outside of all processes, in order: messages, and the commits between
// them.
type ledger struct {
	sink notes.Notifier

	mu      sync.Mutex
	entries []entry
}

// entry is a message with its key, or a commit without one.
type entry struct {
	process int
	key     string
}

func (l *ledger) committed(process int) { l.write(entry{process: process}) }

func (l *ledger) write(e entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, e)
}

// told are the keys that arrived.
func (l *ledger) told() map[string]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	keys := map[string]bool{}
	for _, e := range l.entries {
		keys[e.key] = true
	}
	return keys
}

// repeats are the messages that came twice for no good reason. The only one is a process that died
// between the sink's answer and its next commit; one commit more may have been on its way already.
func (l *ledger) repeats() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var bad []string
	first := map[string]int{}
	for i, e := range l.entries {
		at, again := first[e.key]
		first[e.key] = i
		if e.key == "" || !again {
			continue
		}
		before := l.entries[at].process
		commits := 0
		for _, between := range l.entries[at:i] {
			if between.process == before && between.key == "" {
				commits++
			}
		}
		switch {
		case before == e.process:
			bad = append(bad, fmt.Sprintf("process %d told %s twice", e.process, e.key))
		case commits > 1:
			bad = append(bad, fmt.Sprintf("process %d told %s again, though %d commits followed when process %d told it", e.process, e.key, commits, before))
		}
	}
	return bad
}

// mouth is how one process reaches the sink.
type mouth struct {
	*ledger
	wire *wire
}

// Notify tells the sink, unless the process dies.
func (m mouth) Notify(ctx context.Context, msg notifier.Message, receipt string) (string, error) {
	f, err := m.wire.enter(ctx, call{"tell", "messages"})
	if err != nil {
		return receipt, err
	}
	got, err := m.sink.Notify(ctx, msg, receipt)
	if err != nil {
		return got, err
	}
	m.write(entry{m.wire.process, msg.Key})
	if f == diesAfter {
		m.wire.die()
		return receipt, errDied
	}
	return got, nil
}

// down is a sink that fails whatever it is told. It holds up nobody, and repeats nothing to another.
type down struct{}

func (down) Notify(_ context.Context, _ notifier.Message, receipt string) (string, error) {
	return receipt, errors.New("connection refused")
}
