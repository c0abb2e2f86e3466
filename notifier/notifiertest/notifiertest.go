// Package notifiertest is the suite that every notifier passes, and the rollouts that it tells of.
package notifiertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/serin-dev/serin/notifier"
)

// Sink is a notifier together with the place that it delivers to.
type Sink struct {
	Notifier notifier.Notifier
	// Shown is all that a reader of the place sees now, in any form.
	Shown func() string
	// FailOnce makes the place fail the next delivery.
	FailOnce func()
	// LimitOnce makes the place refuse the next delivery and ask for that long a pause.
	LimitOnce func(time.Duration)
	// RefuseOnce makes the place refuse the next delivery as one that it would refuse again.
	RefuseOnce func()
	// With builds a notifier with a template for the same place; nil where there are no templates.
	With func(template string) (notifier.Notifier, error)
	// At builds a notifier for another address; nil where there are none.
	At func(address string) (notifier.Notifier, error)
	// Silent tells the messages that the sink has no word for; nil is none.
	Silent func(notifier.Message) bool
	// Secrets that the notifier was given; no error may contain them.
	Secrets []string
}

// Run holds a notifier against its contract. Open returns a new and empty place each time.
func Run(t *testing.T, open func(t *testing.T) Sink) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Sink){
		"the start names the canary and both revisions":             startIsShown,
		"a decision to act on is shown with why and next":           heldIsShown,
		"the end is shown with why and next":                        endIsShown,
		"every outcome is shown with its reason":                    outcomesAreShown,
		"a rollout leads from receipt to receipt":                   rolloutIsFollowed,
		"a message that belongs to no rollout keeps the receipt":    noticeKeepsReceipt,
		"a receipt of another sink is none":                         foreignReceipt,
		"a repeated message is no error":                            repetition,
		"a failed delivery is an error and can be repeated":         failure,
		"a rate limit says how long the sink wants to be left":      rateLimit,
		"a refusal says that repeating is of no use":                refusal,
		"an address of a cloud's metadata is not called":            reserved,
		"a cancelled context delivers nothing":                      cancelled,
		"a template makes the text":                                 template,
		"a bad template is refused and says where":                  badTemplate,
		"a message with next to nothing in it is delivered":         emptyMessage,
		"texts of absurd length, line breaks and mentions are tame": absurdTexts,
		"many rollouts at once are all delivered":                   concurrency,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// told delivers messages of one rollout in order and returns the last receipt.
func (s Sink) told(t *testing.T, messages ...notifier.Message) string {
	t.Helper()
	receipt := ""
	for _, m := range messages {
		var err error
		if receipt, err = s.Notifier.Notify(t.Context(), m, receipt); err != nil {
			t.Fatalf("%s %q: %v", m.Kind, m.What, err)
		}
	}
	return receipt
}

// shows looks for the words of a message.
func (s Sink) shows(t *testing.T, m notifier.Message, words ...string) {
	t.Helper()
	if s.Silent != nil && s.Silent(m) {
		return
	}
	shown := s.Shown()
	for _, w := range words {
		if !strings.Contains(shown, w) {
			t.Errorf("%q is not shown:\n%s", w, shown)
		}
	}
}

// clean fails the test when an error is none, or tells a secret.
func (s Sink) clean(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("it succeeded")
	}
	for _, secret := range s.Secrets {
		if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), secret) {
			t.Errorf("the error tells a secret: %v", err)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error is more than one line: %q", err)
	}
}

// final tells whether an error says that repeating is of no use.
func final(err error) bool {
	_, ok := errors.AsType[*notifier.Refused](err)
	return ok
}

// end is the message that every sink has a word for.
func end() notifier.Message { return Rollback()[4] }

func startIsShown(t *testing.T, s Sink) {
	m := Rollback()[0]
	s.told(t, m)
	s.shows(t, m, "apps/podinfo", "6.0.1", "6.0.2")
}

func heldIsShown(t *testing.T, s Sink) {
	s.told(t, Rollback()[:4]...)
	s.shows(t, Rollback()[3], "check 1 of 5 failed", "38 of 1,004 requests failed", "The 5th rolls back", "success rate", "96.2 %")
}

func endIsShown(t *testing.T, s Sink) {
	s.told(t, Rollback()...)
	s.shows(t, end(), "apps/podinfo 6.0.2 rolled back after 1m25s: success rate 96.2 %", "All traffic on 6.0.1")
}

func outcomesAreShown(t *testing.T, s Sink) {
	for i, outcome := range []string{"Promoted", "Failed", "Superseded", "Reverted"} {
		for _, severity := range []notifier.Severity{notifier.Info, notifier.Warning, notifier.Error} {
			m := end()
			m.Outcome, m.Severity, m.Rollout = outcome, severity, int64(i)
			m.Why = fmt.Sprintf("%s with %s because of this", outcome, severity)
			m.Key += m.Why
			s.told(t, m)
			s.shows(t, m, m.Why)
		}
	}
}

func rolloutIsFollowed(t *testing.T, s Sink) {
	first := s.told(t, Promotion()[0])
	for _, m := range Promotion()[1:] {
		got, err := s.Notifier.Notify(t.Context(), m, first)
		if err != nil || got != first {
			t.Fatalf("%q: receipt %q, error %v; want the receipt of the first message, %q", m.What, got, err, first)
		}
	}
}

func noticeKeepsReceipt(t *testing.T, s Sink) {
	for _, receipt := range []string{"", "C1/2.3"} {
		got, err := s.Notifier.Notify(t.Context(), Adoption(), receipt)
		if err != nil || got != receipt {
			t.Errorf("receipt %q, error %v; want %q back", got, err, receipt)
		}
	}
	s.shows(t, Adoption(), "podinfo:6.0.1 serves from podinfo-primary")
}

func foreignReceipt(t *testing.T, s Sink) {
	if _, err := s.Notifier.Notify(t.Context(), end(), "what is this?"); err != nil {
		t.Fatal(err)
	}
	s.shows(t, end(), "rolled back")
}

func repetition(t *testing.T, s Sink) {
	receipt := s.told(t, Rollback()...)
	if _, err := s.Notifier.Notify(t.Context(), end(), receipt); err != nil {
		t.Fatal(err)
	}
	s.shows(t, end(), "rolled back")
}

func failure(t *testing.T, s Sink) {
	s.FailOnce()
	receipt, err := s.Notifier.Notify(t.Context(), end(), "")
	s.clean(t, err)
	if final(err) {
		t.Errorf("error %v says that repeating is of no use", err)
	}
	if _, err := s.Notifier.Notify(t.Context(), end(), receipt); err != nil {
		t.Fatal(err)
	}
	s.shows(t, end(), "apps/podinfo")
}

func rateLimit(t *testing.T, s Sink) {
	s.LimitOnce(42 * time.Second)
	_, err := s.Notifier.Notify(t.Context(), end(), "")
	s.clean(t, err)
	var limited *notifier.RetryAfter
	if !errors.As(err, &limited) || limited.After != 42*time.Second || final(err) {
		t.Errorf("error %v; want one that wraps a RetryAfter of 42s", err)
	}
}

func refusal(t *testing.T, s Sink) {
	s.RefuseOnce()
	_, err := s.Notifier.Notify(t.Context(), end(), "")
	s.clean(t, err)
	if !final(err) {
		t.Errorf("error %v; want one that wraps a Refused", err)
	}
	if shown := s.Shown(); shown != "" {
		t.Errorf("delivered all the same:\n%s", shown)
	}
}

func reserved(t *testing.T, s Sink) {
	if s.At == nil {
		t.Skip("there are no addresses")
	}
	n, err := s.At("http://169.254.169.254/latest/meta-data/")
	if err != nil {
		t.Fatal(err)
	}
	_, err = n.Notify(t.Context(), end(), "")
	s.clean(t, err)
	if !strings.Contains(err.Error(), "169.254.169.254 is refused: ") || !final(err) {
		t.Errorf("error %v; want one that wraps a Refused and names the address", err)
	}
}

func cancelled(t *testing.T, s Sink) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Notifier.Notify(ctx, end(), "")
	s.clean(t, err)
	if !errors.Is(err, context.Canceled) || final(err) {
		t.Errorf("error %v; want one that wraps context.Canceled", err)
	}
	if shown := s.Shown(); shown != "" {
		t.Errorf("delivered all the same:\n%s", shown)
	}
}

func template(t *testing.T, s Sink) {
	if s.With == nil {
		t.Skip("there are no templates")
	}
	n, err := s.With("{{.Namespace}}/{{.Canary}} of {{.Cluster}}: {{.What}}{{with .Why}}, because of {{.}}{{end}}!")
	if err != nil {
		t.Fatal(err)
	}
	m := end()
	m.Why = "a word"
	if _, err := n.Notify(t.Context(), m, ""); err != nil {
		t.Fatal(err)
	}
	s.shows(t, m, "apps/podinfo of production: rolled back, because of a word!")
}

func badTemplate(t *testing.T, s Sink) {
	if s.With == nil {
		t.Skip("there are no templates")
	}
	_, err := s.With("fine\n{{.Secret}}")
	s.clean(t, err)
	if !strings.Contains(err.Error(), "spec.template") || !strings.Contains(err.Error(), ":2:") {
		t.Errorf("error %q; want the name of the field, and the line", err)
	}
}

func emptyMessage(t *testing.T, s Sink) {
	for i, kind := range []notifier.Kind{notifier.Started, notifier.Held, notifier.Ended, notifier.Notice} {
		m := notifier.Message{Kind: kind, Canary: Adoption().Canary, Rollout: int64(i), Outcome: "Failed"}
		if _, err := s.Notifier.Notify(t.Context(), m, ""); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func absurdTexts(t *testing.T, s Sink) {
	m := end()
	m.Why = strings.Repeat("<!channel> & \"größer\" 🐤\n", 2_000)
	m.Checks = nil
	for range 100 {
		m.Checks = append(m.Checks, notifier.Check{Name: m.Why, Verdict: "Failed", Value: "```", Threshold: m.Why})
	}
	s.told(t, m)
	s.shows(t, m, "rolled back", "größer")
}

func concurrency(t *testing.T, s Sink) {
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			receipt := ""
			for _, m := range Rollback() {
				m.Canary.Name = fmt.Sprintf("podinfo-%d", i)
				var err error
				if receipt, err = s.Notifier.Notify(t.Context(), m, receipt); err != nil {
					t.Errorf("%s: %v", m.Canary.Name, err)
				}
			}
		})
	}
	all.Wait()
	for i := range 20 {
		s.shows(t, end(), fmt.Sprintf("apps/podinfo-%d 6.0.2 rolled back", i))
	}
}
