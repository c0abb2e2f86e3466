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
		"a rollout leads from receipt to receipt":                   rolloutIsFollowed,
		"a message that belongs to no rollout keeps the receipt":    noticeKeepsReceipt,
		"a receipt of another sink is none":                         foreignReceipt,
		"a repeated message is no error":                            repetition,
		"a failed delivery is an error and can be repeated":         failure,
		"a rate limit says how long the sink wants to be left":      rateLimit,
		"a cancelled context delivers nothing":                      cancelled,
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

func (s Sink) shows(t *testing.T, words ...string) {
	t.Helper()
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
		t.Fatal("the delivery succeeded")
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

func startIsShown(t *testing.T, s Sink) {
	s.told(t, Rollback()[0])
	s.shows(t, "apps/podinfo", "6.0.2")
}

func heldIsShown(t *testing.T, s Sink) {
	s.told(t, Rollback()[:4]...)
	s.shows(t, "check 1 of 5 failed", "38 of 1,004 requests failed", "The 5th rolls back")
}

func endIsShown(t *testing.T, s Sink) {
	s.told(t, Rollback()...)
	s.shows(t, "apps/podinfo 6.0.2 rolled back after 1m25s: success rate 96.2 %", "All traffic on 6.0.1")
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
	s.shows(t, "podinfo:6.0.1 serves from podinfo-primary")
}

func foreignReceipt(t *testing.T, s Sink) {
	if _, err := s.Notifier.Notify(t.Context(), Rollback()[3], "what is this?"); err != nil {
		t.Fatal(err)
	}
	s.shows(t, "check 1 of 5 failed")
}

func repetition(t *testing.T, s Sink) {
	receipt := s.told(t, Rollback()[:4]...)
	if _, err := s.Notifier.Notify(t.Context(), Rollback()[3], receipt); err != nil {
		t.Fatal(err)
	}
	s.shows(t, "check 1 of 5 failed")
}

func failure(t *testing.T, s Sink) {
	s.FailOnce()
	receipt, err := s.Notifier.Notify(t.Context(), Rollback()[0], "")
	s.clean(t, err)
	if _, err := s.Notifier.Notify(t.Context(), Rollback()[0], receipt); err != nil {
		t.Fatal(err)
	}
	s.shows(t, "apps/podinfo")
}

func rateLimit(t *testing.T, s Sink) {
	s.LimitOnce(42 * time.Second)
	_, err := s.Notifier.Notify(t.Context(), Rollback()[0], "")
	s.clean(t, err)
	var limited *notifier.RetryAfter
	if !errors.As(err, &limited) || limited.After != 42*time.Second {
		t.Errorf("error %v; want one that wraps a RetryAfter of 42s", err)
	}
}

func cancelled(t *testing.T, s Sink) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Notifier.Notify(ctx, Rollback()[0], "")
	s.clean(t, err)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v; want one that wraps context.Canceled", err)
	}
	if shown := s.Shown(); shown != "" {
		t.Errorf("delivered all the same:\n%s", shown)
	}
}

func emptyMessage(t *testing.T, s Sink) {
	for i, kind := range []notifier.Kind{notifier.Started, notifier.Held, notifier.Ended, notifier.Notice} {
		m := notifier.Message{Kind: kind, Canary: Adoption().Canary, Rollout: int64(i)}
		if _, err := s.Notifier.Notify(t.Context(), m, ""); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func absurdTexts(t *testing.T, s Sink) {
	m := Rollback()[4]
	m.Why = strings.Repeat("<!channel> & \"größer\" 🐤\n", 2_000)
	m.Checks = nil
	for range 100 {
		m.Checks = append(m.Checks, notifier.Check{Name: m.Why, Verdict: "Failed", Value: "```", Threshold: m.Why})
	}
	s.told(t, m)
	s.shows(t, "rolled back", "größer")
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
		s.shows(t, fmt.Sprintf("apps/podinfo-%d 6.0.2 rolled back", i))
	}
}
