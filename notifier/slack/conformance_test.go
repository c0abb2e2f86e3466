package slack

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/notifiertest"
)

func TestConformance(t *testing.T) {
	for mode, cfg := range map[string]notifier.Config{
		"with a bot token":         {Token: token, Channel: "releases"},
		"with an incoming webhook": {Channel: "releases", Username: "serin"},
	} {
		t.Run(mode, func(t *testing.T) {
			notifiertest.Run(t, func(t *testing.T) notifiertest.Sink {
				w := &workspace{}
				return notifiertest.Sink{
					Notifier: open(t, w, cfg),
					Shown:    w.view,
					FailOnce: func() { w.next(status(http.StatusBadGateway, "<html>"+token+webhookPath+"</html>")) },
					LimitOnce: func(after time.Duration) {
						w.next(status(http.StatusTooManyRequests, "", "Retry-After", fmt.Sprint(after.Seconds())))
					},
					Secrets: []string{token, webhookPath, "s3cr3tS3cr3t"},
				}
			})
		})
	}
}
