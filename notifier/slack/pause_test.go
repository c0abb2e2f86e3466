package slack

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/internal/post"
	"github.com/serin-dev/serin/notifier/notifiertest"
)

func TestRateLimitIsKeptByBotsAndWebhooks(t *testing.T) {
	for mode, cfg := range map[string]notifier.Config{"bot": botConfig, "webhook": webhookConfig} {
		t.Run(mode, func(t *testing.T) {
			w := &workspace{}
			n := open(t, w, cfg)
			w.next(status(http.StatusTooManyRequests, "", "Retry-After", "60"))
			wantPause(t, n, 60*time.Second)
			wantPause(t, n, 59*time.Second)
			if calls := w.callsSoFar(); calls != 1 {
				t.Errorf("%d calls while Slack asked for a pause, want 1", calls)
			}
		})
	}
}

func TestRateLimitInABotsAnswer(t *testing.T) {
	w := &workspace{}
	n := open(t, w, botConfig)
	w.next(refuse("ratelimited"))
	wantPause(t, n, post.DefaultPause)
}

// wantPause allows for the time that passes.
func wantPause(t *testing.T, n notifier.Notifier, want time.Duration) {
	t.Helper()
	_, err := n.Notify(t.Context(), notifiertest.Rollback()[0], "")
	var limited *notifier.RetryAfter
	if !errors.As(err, &limited) || limited.After.Round(30*time.Second) != want.Round(30*time.Second) {
		t.Errorf("error %v, want a RetryAfter of %s", err, want)
	}
}
