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
				refusal := refuse("channel_not_found")
				if cfg.Token == "" {
					refusal = status(http.StatusNotFound, "no_service")
				}
				return notifiertest.Sink{
					Notifier: open(t, w, cfg),
					Shown:    w.view,
					FailOnce: func() { w.next(status(http.StatusBadGateway, "<html>"+token+webhookPath+"</html>")) },
					LimitOnce: func(after time.Duration) {
						w.next(status(http.StatusTooManyRequests, "", "Retry-After", fmt.Sprint(after.Seconds())))
					},
					RefuseOnce: func() { w.next(refusal) },
					With: func(template string) (notifier.Notifier, error) {
						cfg := cfg
						cfg.Template = template
						return try(t, w, cfg)
					},
					At: func(address string) (notifier.Notifier, error) {
						cfg := cfg
						cfg.Address = address
						return New(cfg)
					},
					Secrets: []string{token, webhookPath, "s3cr3tS3cr3t"},
				}
			})
		})
	}
}
