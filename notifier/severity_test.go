package notifier_test

import (
	"testing"

	"github.com/serin-dev/serin/notifier"
)

func TestSeverityReaches(t *testing.T) {
	for sentence, test := range map[string]struct {
		severity, from notifier.Severity
		want           bool
	}{
		"what is asked for":           {notifier.Warning, notifier.Warning, true},
		"what is worse":               {notifier.Error, notifier.Warning, true},
		"what is not as bad":          {notifier.Info, notifier.Warning, false},
		"who asks for nothing":        {notifier.Info, "", true},
		"what has none":               {"", notifier.Info, true},
		"what has none is not urgent": {"", notifier.Error, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := test.severity.Reaches(test.from); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
