package chaos

import (
	"fmt"
	"testing"
	"time"
)

// changesState is a write that steers: an event or a message that comes late is only late.
func changesState(c call) bool { return c.kind() == "object" || c.kind() == "status" }

// TestTwoAtOnce: nobody elects a leader, and both work on everything from the beginning.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	table := newTable(t, "Two operators work at once", "scenario", "runs", "writes of the first", "writes of the second")
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			r := reference(t, s)
			w := newWorld(t, s)
			second := w.supervise(trap{})
			first := w.perform(s, trap{})
			w.endsLike(r.end)
			w.check(w.failures())
			row := table.row(s.name)
			row.add("runs")
			row.set("writes of the first", count(first.wire.made(), isWrite))
			row.set("writes of the second", count(second.wire.made(), isWrite))
		})
	}
}

// When a frozen process wakes.
const soon, late fate = "soon", "late"

// TestALeaderThatWakesUp: the first operator stands still in front of a write while a second one takes
// over, and sends it when it wakes: soon, after the first write of the other, or late, when all is over.
func TestALeaderThatWakesUp(t *testing.T) {
	t.Parallel()
	table := newTable(t, "A leader stands still in front of a write, and wakes beside another",
		"scenario", "writes", "soon", "late", "object", "status", "not reached")
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			r := reference(t, s)
			row := table.row(s.name)
			writes := count(r.calls, changesState)
			row.set("writes", writes)
			for _, p := range sample(points(writes, soon, late), 1) {
				t.Run(fmt.Sprintf("at write %d until %s", p.at, p.fate), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, s)
					if p.fate == soon {
						w.lives.Go(w.wakeSoon)
					}
					first := w.perform(s, trap{counts: changesState, at: p.at, fate: freezes})
					w.calm()
					if p.fate == late {
						first.wire.wake()
					}
					w.endsLike(r.end)
					w.check(w.failures())
					met := first.wire.sprung()
					if met == nil {
						row.add("not reached")
						return
					}
					row.add(string(p.fate))
					row.add(met.kind())
				})
			}
		})
	}
}

// wakeSoon wakes the first process when the second has written something.
func (w *world) wakeSoon() {
	for {
		select {
		case <-w.ctx.Done():
			return
		case <-time.After(5 * time.Millisecond):
		}
		if all := w.all(); len(all) == 2 && count(all[1].wire.made(), changesState) > 0 {
			all[0].wire.wake()
			return
		}
	}
}
