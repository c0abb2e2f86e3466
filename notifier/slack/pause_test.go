package slack

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/notifiertest"
)

func TestRateLimitKeepsAllCallsBackUntilItIsOver(t *testing.T) {
	for mode, cfg := range map[string]notifier.Config{"bot": botConfig, "webhook": webhookConfig} {
		t.Run(mode, func(t *testing.T) {
			w := &workspace{}
			n := open(t, w, cfg)
			now := notifiertest.Start
			callerOf(t, n).pause.now = func() time.Time { return now }

			w.next(status(http.StatusTooManyRequests, "", "Retry-After", "60"))
			wantPause(t, n, 60*time.Second)
			now = now.Add(45 * time.Second)
			wantPause(t, n, 15*time.Second)
			if calls := w.callsSoFar(); calls != 1 {
				t.Errorf("%d calls while Slack asked for a pause, want 1", calls)
			}
			now = now.Add(15 * time.Second)
			tell(t, n, notifiertest.Rollback()[0], "")
		})
	}
}

func TestRateLimitWithoutATime(t *testing.T) {
	for sentence, answer := range map[string]http.HandlerFunc{
		"no header":                status(http.StatusTooManyRequests, ""),
		"a header that is no time": status(http.StatusTooManyRequests, "", "Retry-After", "soon"),
		"a time that is past":      status(http.StatusTooManyRequests, "", "Retry-After", "-5"),
		"a word in a bot's answer": refuse("ratelimited"),
	} {
		t.Run(sentence, func(t *testing.T) {
			w := &workspace{}
			n := open(t, w, botConfig)
			now := notifiertest.Start
			callerOf(t, n).pause.now = func() time.Time { return now }
			w.next(answer)
			wantPause(t, n, defaultPause)
		})
	}
}

func TestShorterPauseDoesNotCutALongerOne(t *testing.T) {
	p := pause{now: func() time.Time { return notifiertest.Start }}
	p.begin("60")
	p.begin("1")
	if left := p.left(); left != time.Minute {
		t.Errorf("%s left, want 1m", left)
	}
}

func wantPause(t *testing.T, n notifier.Notifier, want time.Duration) {
	t.Helper()
	_, err := n.Notify(t.Context(), notifiertest.Rollback()[0], "")
	var limited *notifier.RetryAfter
	if !errors.As(err, &limited) || limited.After != want {
		t.Errorf("error %v, want a RetryAfter of %s", err, want)
	}
}

// callerOf is the way out of a notifier.
func callerOf(t *testing.T, n notifier.Notifier) *caller {
	t.Helper()
	switch n := n.(type) {
	case *bot:
		return n.out
	case *webhook:
		return n.out
	}
	t.Fatalf("%T has no way out", n)
	return nil
}
