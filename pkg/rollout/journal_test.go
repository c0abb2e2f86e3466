package rollout

import (
	"fmt"
	"testing"

	"github.com/serin-dev/serin/apis/v1beta1"
)

func TestTheJournalKeepsWhatSomebodyIsToBeTold(t *testing.T) {
	sink := func(told int64) []v1beta1.SinkStatus { return []v1beta1.SinkStatus{{Name: "slack", Told: told}} }
	tests := map[string]struct {
		entries, each int // of each transition
		told          int64
		sinks         []v1beta1.SinkStatus
		want          string
	}{
		"few":                              {entries: 40, each: 1, told: 40, want: "40 from 1.0"},
		"more, and all are told":           {entries: 45, each: 1, told: 45, want: "40 from 6.0"},
		"more, and nobody is told":         {entries: 45, each: 1, want: "45 from 1.0"},
		"more, and a sink is behind":       {entries: 60, each: 1, told: 60, sinks: sink(10), want: "50 from 11.0"},
		"more, and a sink is a bit behind": {entries: 60, each: 1, told: 60, sinks: sink(58), want: "40 from 21.0"},
		"too many":                         {entries: 203, each: 1, told: 203, sinks: sink(1), want: "200 from 4.0"},
		"too many, the last in two parts":  {entries: 203, each: 2, told: 102, sinks: sink(0), want: "199 from 3.0"},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			s := &v1beta1.CanaryStatus{Told: test.told, Sinks: test.sinks}
			for i := range test.entries {
				s.Journal = append(s.Journal, v1beta1.JournalEntry{Transition: int64(1 + i/test.each), Index: int32(i % test.each)})
			}
			trimJournal(s)
			if got := fmt.Sprintf("%d from %d.%d", len(s.Journal), s.Journal[0].Transition, s.Journal[0].Index); got != test.want {
				t.Errorf("kept %s, want %s", got, test.want)
			}
		})
	}
}
