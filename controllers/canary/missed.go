package canary

import (
	"fmt"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// lost counts the entries for a sink that a journal has dropped and that it had not been told.
func lost(before, after []v1beta1.JournalEntry, s sink, done mark) (n int64) {
	for _, e := range before {
		if len(after) > 0 && !(mark{e.Transition, e.Index}).before(after[0]) {
			break
		}
		if done.before(e) && s.wants(e) {
			n++
		}
	}
	return n
}

// countLost notes in the next status what its journal has dropped.
func (a *audience) countLost(c *v1beta1.Canary, next *v1beta1.CanaryStatus) {
	for i := range next.Sinks {
		place := &next.Sinks[i]
		if s, ok := a.named(c, place.Name); ok {
			place.Missed += lost(c.Status.Journal, next.Journal, s, through(place.Told))
		}
	}
}

// gap is what a sink is told in place of the entries that it missed, ahead of the next one. It is as bad
// as the worst that they may have been.
func gap(c *v1beta1.Canary, e v1beta1.JournalEntry, missed int64) v1beta1.JournalEntry {
	g := v1beta1.JournalEntry{
		At: e.At, Transition: e.Transition - 1, Reason: "Missed", Moment: "Held", Severity: v1beta1.SeverityError, Rollout: e.Rollout,
		What: fmt.Sprintf("%d messages before this one were never sent here", missed),
		Why:  "nothing could be sent for too long; what is a day old is left out, and so is what 200 decisions followed",
		Next: fmt.Sprintf("What is still known of them: kubectl serin explain -n %s %s, and its events until they expire", c.Namespace, c.Name),
	}
	if e.Moment == "Started" || e.Rollout == 0 {
		g.Moment, g.Rollout = "Notice", 0
	}
	return g
}
