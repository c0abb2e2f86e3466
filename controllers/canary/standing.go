package canary

import (
	"errors"
	"math"
	"math/rand/v2"
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/notifier"
)

const (
	// grace is how long a sink may fail before that is said.
	grace = time.Minute
	// staleAfter is when an entry is no news any more: a sink that comes back is not told of last week.
	staleAfter = 24 * time.Hour
	// longestPause bounds the time between two attempts at a sink.
	longestPause = 5 * time.Minute
)

// standing is how far one sink has been told of one canary.
type standing struct {
	// done is the last entry that it has, or that was passed over.
	done mark
	// receipt of the last message of rollout run.
	receipt string
	run     int64
	// failures since it was last told, the first at since; it is left alone until quiet.
	failures     int
	since, quiet time.Time
	// trouble is what it last said against a message; empty once it has taken one.
	trouble string
	// lost counts entries that the journal dropped before it was told them, and owed makes of it how many it
	// is still to be told that it missed: it adds those that were too old, and takes away what was said. Who
	// delivers writes owed, and who commits lost.
	lost, owed int64
	// eager is set while something has come that it may have lacked.
	eager bool
}

// mark is an entry's place in the journal.
type mark struct {
	transition int64
	index      int32
}

func (m mark) before(e v1beta1.JournalEntry) bool {
	return e.Transition > m.transition || e.Transition == m.transition && e.Index > m.index
}

// through is the mark after all entries of a transition.
func through(transition int64) mark { return mark{transition, math.MaxInt32} }

// standingOf is where a sink stands by the status alone.
func standingOf(c *v1beta1.Canary, name string) *standing {
	st := &standing{done: through(c.Status.Told), receipt: c.Status.Receipts[name]}
	if c.Status.Rollout != nil {
		st.run = c.Status.Rollout.Number
	}
	for _, s := range c.Status.Sinks {
		if s.Name != name {
			continue
		}
		st.done, st.trouble, st.lost = through(s.Told), s.Message, s.Missed
		if s.Message != "" && s.Told < c.Status.Told {
			st.failures = 1 // for long: since is not known
		}
	}
	return st
}

// missed is how many entries it will never be told, and does not know of.
func (s *standing) missed() int64 { return s.lost + s.owed }

// told is the last transition of which nothing is left to tell.
func (s *standing) told(journal []v1beta1.JournalEntry) int64 {
	for _, e := range journal {
		if s.done.before(e) {
			return e.Transition - 1
		}
	}
	return last(journal)
}

// behind is true of one that fails for long: nothing waits for it.
func (s *standing) behind(now time.Time) bool {
	return s.failures > 0 && (now.Sub(s.since) >= grace || s.quiet.Sub(now) > grace)
}

// receiptFor is what the sink returned for the entry's rollout.
func (s *standing) receiptFor(e v1beta1.JournalEntry) string {
	if e.Rollout == s.run {
		return s.receipt
	}
	return ""
}

func (s *standing) passOver(e v1beta1.JournalEntry) {
	if s.done.before(e) {
		s.done = mark{e.Transition, e.Index}
	}
	s.failures, s.since = 0, time.Time{}
}

// note files what became of an entry. One that is refused is not sent again: it would be refused again,
// and keep back those after it.
func (s *standing) note(e v1beta1.JournalEntry, receipt string, err error, now time.Time) {
	if receipt != "" && e.Rollout != 0 {
		s.receipt, s.run = receipt, e.Rollout
	}
	if err == nil {
		s.passOver(e)
		s.trouble = ""
		return
	}
	s.trouble = err.Error()
	if _, refused := errors.AsType[*notifier.Refused](err); refused {
		s.passOver(e)
		return
	}
	if s.failures == 0 {
		s.since = now
	}
	pause := min(time.Second<<min(s.failures, 9), longestPause)
	s.failures++
	s.quiet = now.Add(pause/2 + rand.N(pause/2)) //nolint:gosec // a jitter is no secret
	if later, ok := errors.AsType[*notifier.RetryAfter](err); ok {
		s.quiet = now.Add(later.After)
	}
}

// last is the transition of the newest entry.
func last(journal []v1beta1.JournalEntry) int64 {
	if n := len(journal); n > 0 {
		return journal[n-1].Transition
	}
	return 0
}
