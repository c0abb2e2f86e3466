package chaos

import (
	"fmt"
	"testing"
)

// fault is what one kind of call comes back with, the first time that it is made.
type fault struct {
	call call
	fate fate
}

// TestEveryCallFails: each kind of call to the API server, reads and watches included, fails once in
// each way. A process that gives up at its start is started again.
func TestEveryCallFails(t *testing.T) {
	fates := []fate{conflicts, throttled, fails, timesOut, drops}
	table := newTable(t, "Each kind of call to the API server fails once", "scenario", "kinds of calls", "409", "429", "500", "timeout", "dropped",
		"restarts", "not reached")
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			r := reference(t, s)
			row := table.row(s.name)
			var faults []fault
			seen := map[call]bool{}
			for _, c := range r.calls {
				if seen[c] || !toServer(c) {
					continue
				}
				seen[c] = true
				for _, f := range fates {
					faults = append(faults, fault{c, f})
				}
			}
			row.set("kinds of calls", len(seen))
			for _, f := range sample(faults, 1) {
				t.Run(fmt.Sprintf("%s to %s", f.fate, f.call), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, s)
					first := w.perform(s, trap{counts: func(c call) bool { return c == f.call }, at: 1, fate: f.fate})
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
