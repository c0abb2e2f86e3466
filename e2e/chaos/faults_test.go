package chaos

import (
	"fmt"
	"testing"
)

// fault is what a call comes back with, the nth time that one of its kind is made.
type fault struct {
	call call
	nth  int
	fate fate
}

// TestEveryCallFails: each kind of call to the API server, reads and watches included, fails once in
// each way, and each further write in one of them. A process that gives up at its start is started again.
func TestEveryCallFails(t *testing.T) {
	fates := []fate{conflicts, throttled, fails, timesOut, drops}
	table := newTable(t, "Each kind of call to the API server fails once, and each further write", "scenario", "kinds of calls", "further writes",
		"409", "429", "500", "timeout", "dropped", "restarts", "not reached")
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			r := reference(t, s)
			row := table.row(s.name)
			var faults []fault
			seen := map[call]int{}
			further := 0
			for _, c := range r.calls {
				if !toServer(c) {
					continue
				}
				switch seen[c]++; {
				case seen[c] == 1:
					for _, f := range fates {
						faults = append(faults, fault{c, 1, f})
					}
				case isWrite(c):
					faults = append(faults, fault{c, seen[c], fates[further%len(fates)]})
					further++
				}
			}
			row.set("kinds of calls", len(seen))
			row.set("further writes", further)
			for _, f := range sample(faults, 1) {
				t.Run(fmt.Sprintf("%s to %s no %d", f.fate, f.call, f.nth), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, s)
					first := w.perform(s, trap{counts: func(c call) bool { return c == f.call }, at: f.nth, fate: f.fate})
					w.endsLike(r.end)
					w.check(w.ledger.repeats())
					for range w.failures() {
						row.add("restarts")
					}
					if first.wire.sprung() == nil {
						row.add("not reached")
						return
					}
					row.add(string(f.fate))
				})
			}
		})
	}
}
