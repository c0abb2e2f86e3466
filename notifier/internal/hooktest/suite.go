package hooktest

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/notifiertest"
)

// Place is a service and what builds a notifier for it.
type Place struct {
	*Service
	New notifier.Factory
	// Config beside the address.
	Config notifier.Config
	// Secrets beside those of the address.
	Secrets []string
	// Limit asks for a pause, as the service does; nil is by the header Retry-After.
	Limit func(time.Duration) http.HandlerFunc
	// Silent tells the messages that the notifier has no word for; nil is none.
	Silent func(notifier.Message) bool
}

// Conform runs the suite of all notifiers against the place.
func Conform(t *testing.T, open func(t *testing.T) Place) {
	t.Helper()
	notifiertest.Run(t, func(t *testing.T) notifiertest.Sink { return open(t).sink(t) })
}

func (p Place) sink(t *testing.T) notifiertest.Sink {
	t.Helper()
	limit := p.Limit
	if limit == nil {
		limit = func(after time.Duration) http.HandlerFunc {
			return Status(http.StatusTooManyRequests, "", "Retry-After", fmt.Sprint(after.Seconds()))
		}
	}
	secrets := append([]string{}, Secrets...)
	page := fmt.Sprintf("<html>%s %s %s</html>", p.URL, p.Config.Token, p.Config.SigningKey)
	return notifiertest.Sink{
		Notifier:   p.Open(t),
		Shown:      p.Shown,
		FailOnce:   func() { p.Next(Status(http.StatusBadGateway, page)) },
		LimitOnce:  func(after time.Duration) { p.Next(limit(after)) },
		RefuseOnce: func() { p.Next(Status(http.StatusNotFound, page)) },
		With: func(template string) (notifier.Notifier, error) {
			p.Config.Template = template
			return p.New(p.configured())
		},
		At: func(address string) (notifier.Notifier, error) {
			cfg := p.configured()
			cfg.Address = address
			return p.New(cfg)
		},
		Silent:  p.Silent,
		Secrets: append(secrets, p.Secrets...),
	}
}

// Open builds the place's notifier.
func (p Place) Open(t *testing.T) notifier.Notifier {
	t.Helper()
	n, err := p.New(p.configured())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (p Place) configured() notifier.Config {
	cfg := p.Config
	cfg.Address = p.URL + "\n"
	return cfg
}

// Tell delivers one message and fails the test when that is not possible.
func (p Place) Tell(t *testing.T, m notifier.Message) {
	t.Helper()
	if _, err := p.Open(t).Notify(t.Context(), m, ""); err != nil {
		t.Fatal(err)
	}
}

// Goldens shows what a reader sees of the suite's rollouts and of what they do not meet, and pins what
// goes over the wire.
func Goldens(t *testing.T, open func(t *testing.T) Place) {
	t.Helper()
	odd := notifiertest.Rollback()[3]
	odd.Why, odd.Cluster = "*größer* <b>than_allowed_</b> 限界 & 🐤\r\n\t`foo`\x00bar\xff [x](http://y) @everyone #general", ""
	odd.Checks = append([]notifier.Check{{Name: "größe `x` *y*", Value: "限界_>_3", Verdict: "Passed"}}, odd.Checks...)
	for i := range 20 {
		odd.Checks = append(odd.Checks, notifier.Check{Name: fmt.Sprintf("extra %d", i), Verdict: "Passed", Value: "1", Requests: 1_234_567})
	}
	odd.Checks[22].Verdict = "Failed"
	for name, messages := range map[string][]notifier.Message{
		"rollback":  notifiertest.Rollback(),
		"promotion": notifiertest.Promotion(),
		"adoption":  {notifiertest.Adoption()},
		"odd":       {odd},
	} {
		t.Run(name, func(t *testing.T) {
			p := open(t)
			for _, m := range messages {
				p.Tell(t, m)
			}
			Compare(t, name, p.Shown())
		})
	}
	t.Run("payload", func(t *testing.T) {
		p := open(t)
		p.Tell(t, notifiertest.Rollback()[4])
		_, body := p.Last()
		ComparePayload(t, "payload", body)
	})
}
