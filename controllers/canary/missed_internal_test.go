package canary

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/apis/v1beta1"
)

const missedTwo = "apps/podinfo · 2 messages before this one were never sent here: nothing could be sent for too long; what is a day old " +
	"is left out, and so is what 200 decisions followed. What is still known of them: kubectl serin explain -n apps podinfo, and its events until they expire"

// TestASinkIsToldHowMuchItMissed, once, before the first entry that is left for it. Nobody else is.
func TestASinkIsToldHowMuchItMissed(t *testing.T) {
	for sentence, restarts := range map[string]bool{"in one life": false, "after a restart": true} {
		t.Run(sentence, func(t *testing.T) {
			now := &clock{at: noon}
			tell, well, ill := telling(t, now)
			ill.Fail(errors.New("connection refused"))
			c := journalled(4)
			tell.tell(c)
			soon(t, "it has failed", func() bool { return tell.standingIn(c, "ill").failures == 1 })
			soon(t, "the others have everything", func() bool { rec, _ := tell.delivered(c); return rec.settled && rec.told == 4 })

			rec, _ := tell.delivered(c)
			next := c.DeepCopy()
			next.Status.Told, next.Status.Sinks = rec.told, rec.sinks
			next.Status.Journal = append(next.Status.Journal[2:], entry(5))
			tell.audience.countLost(c, &next.Status)
			if diff := cmp.Diff([]v1beta1.SinkStatus{{Name: "ill", Missed: 2}}, next.Status.Sinks); diff != "" {
				t.Errorf("sinks (-want +got):\n%s", diff)
			}
			before := len(well.Deliveries())
			if restarts {
				tell, well, ill = telling(t, now)
				before = 0
			}
			tell.tell(next)
			tell.again(called("podinfo"))
			soon(t, "everybody has everything", func() bool {
				rec, _ := tell.delivered(next)
				return rec.settled && rec.told == 5 && len(rec.sinks) == 0
			})
			want := []string{missedTwo, "apps/podinfo · entry 3", "apps/podinfo · entry 4", "apps/podinfo · entry 5"}
			if diff := cmp.Diff(want, ill.Sentences()); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
			if n := len(well.Deliveries()); n != before+1 {
				t.Errorf("the other one was told %d messages, want %d", n, before+1)
			}
		})
	}
}

func TestWhatIsLostToASink(t *testing.T) {
	j := journalled(6).Status.Journal
	j[2].Muted = true
	for sentence, test := range map[string]struct {
		after []v1beta1.JournalEntry
		wants func(v1beta1.JournalEntry) bool
		told  int64
		want  int64
	}{
		"nothing was dropped":          {j, everything, 0, 0},
		"it had been told what was":    {j[3:], everything, 3, 0},
		"it had been told a part":      {j[3:], everything, 1, 2},
		"it had been told nothing":     {j[3:], everything, 0, 3},
		"some of it was not for it":    {j[3:], unmuted, 0, 2},
		"all was dropped and replaced": {[]v1beta1.JournalEntry{entry(9)}, everything, 4, 2},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := lost(j, test.after, sink{wants: test.wants}, through(test.told)); got != test.want {
				t.Errorf("lost %d, want %d", got, test.want)
			}
		})
	}
}

// TestAGapIsToldInItsPlace: in the rollout's thread, and outside of it where the next entry opens one.
func TestAGapIsToldInItsPlace(t *testing.T) {
	c := inRun("podinfo")
	for sentence, test := range map[string]struct {
		next v1beta1.JournalEntry
		want string
		run  int64
	}{
		"in a rollout":     {v1beta1.JournalEntry{Transition: 7, Moment: "Moved", Rollout: 2}, "Held", 2},
		"before a rollout": {v1beta1.JournalEntry{Transition: 7, Moment: "Started", Rollout: 2}, "Notice", 0},
		"outside of one":   {v1beta1.JournalEntry{Transition: 7, Moment: "Notice"}, "Notice", 0},
	} {
		t.Run(sentence, func(t *testing.T) {
			g := gap(c, test.next, 3)
			if g.Moment != test.want || g.Rollout != test.run || g.Transition != 6 || g.Severity != "error" {
				t.Errorf("got %+v", g)
			}
		})
	}
}
