package notifier_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/notifiertest"
)

func TestSentence(t *testing.T) {
	rollback := notifiertest.Rollback()
	for sentence, test := range map[string]struct {
		message notifier.Message
		want    string
	}{
		"an end goes on from the canary and its revision": {
			message: rollback[4],
			want:    "apps/podinfo 6.0.2 rolled back after 1m25s: success rate 96.2 % < 99 % in 5 checks. All traffic on 6.0.1. Push a fix, or: kubectl serin -n apps retry podinfo",
		},
		"another decision is a clause of its own": {
			message: rollback[3],
			want:    "apps/podinfo 6.0.2 · check 1 of 5 failed: success rate 96.2 % < 99 %: 38 of 1,004 requests failed in 60s. The 5th rolls back",
		},
		"a message that belongs to no rollout names no revision": {
			message: notifier.Message{Kind: notifier.Notice, Canary: rollback[0].Canary, To: "6.0.2", What: "adopted."},
			want:    "apps/podinfo · adopted",
		},
		"full stops are not doubled": {
			message: notifier.Message{Canary: rollback[0].Canary, What: "Held.", Why: "No data.", Next: "Send traffic."},
			want:    "apps/podinfo · Held: No data. Send traffic.",
		},
		"a message without words names the canary": {
			message: notifier.Message{Canary: rollback[0].Canary},
			want:    "apps/podinfo",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.message.Sentence()); diff != "" {
				t.Errorf("sentence (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTook(t *testing.T) {
	for sentence, test := range map[string]struct {
		message notifier.Message
		want    string
	}{
		"seconds are kept":                  {at(85*time.Second + 400*time.Millisecond), "1m25s"},
		"whole minutes end in minutes":      {at(10 * time.Minute), "10m"},
		"whole hours end in hours":          {at(20 * time.Hour), "20h"},
		"no time at all is no seconds":      {at(0), "0s"},
		"a start that is not known":         {notifier.Message{At: notifiertest.Start}, ""},
		"an end that lies before the start": {at(-time.Second), ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := test.message.Took(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func at(after time.Duration) notifier.Message {
	return notifier.Message{StartedAt: notifiertest.Start, At: notifiertest.Start.Add(after)}
}
