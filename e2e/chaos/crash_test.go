package chaos

import (
	"fmt"
	"testing"
)

// point is one call out of many, and what becomes of it.
type point struct {
	at   int
	fate fate
}

// TestCrashAtEveryWrite: the next process ends what the last one began, as if nothing had been.
func TestCrashAtEveryWrite(t *testing.T) {
	t.Parallel()
	table := newTable(t, "The operator is killed before and after each write",
		"scenario", "writes", "kill points", "object", "status", "event", "message", "not reached")
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			r := reference(t, s)
			row := table.row(s.name)
			writes := count(r.calls, isWrite)
			row.set("writes", writes)
			for _, p := range sample(points(writes, diesBefore, diesAfter), 2) {
				t.Run(fmt.Sprintf("%s write %d", p.fate, p.at), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, s)
					first := w.perform(s, trap{counts: isWrite, at: p.at, fate: p.fate})
					w.endsLike(r.end)
					w.check(append(w.ledger.repeats(), w.failures()...))
					met := first.wire.sprung()
					if met == nil {
						row.add("not reached")
						return
					}
					row.add("kill points")
					row.add(met.kind())
				})
			}
		})
	}
}

func count(calls []call, is func(call) bool) int {
	n := 0
	for _, c := range calls {
		if is(c) {
			n++
		}
	}
	return n
}

// points lets each of so many calls meet each of the fates.
func points(calls int, fates ...fate) []point {
	var all []point
	for at := range calls {
		for _, f := range fates {
			all = append(all, point{at + 1, f})
		}
	}
	return all
}
