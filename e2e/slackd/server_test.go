package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/e2e/slackd/event"
	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/slack"
)

// The operator's own notifier is the client: what it sends has to be understood.
var rollout = []notifier.Message{
	{Key: "1", Kind: notifier.Started, Severity: notifier.Info, Rollout: 1, What: "new revision"},
	{Key: "2", Kind: notifier.Moved, Severity: notifier.Info, Rollout: 1, What: "5 % of the traffic to 6.0.1", Weight: 5, Step: 1, Steps: 10},
	{Key: "3", Kind: notifier.Ended, Severity: notifier.Error, Rollout: 1, What: "rolled back", Why: "success rate 96.2 % < 99 %"},
}

func TestABotsRollout(t *testing.T) {
	got := play(t, func(url string) notifier.Config {
		return notifier.Config{Address: url + "/api/", Token: "xoxb-demo", Channel: "rollouts"}
	})
	want := []event.Event{
		{Kind: event.Posted, Message: "1795304669.000001", Lines: []string{"🐣 test/podinfo 6.0.0 → 6.0.1"}},
		{Kind: event.Answered, Message: "1795304669.000002", Thread: "1795304669.000001"},
		{Kind: event.Edited, Message: "1795304669.000001", Lines: []string{"🐣 test/podinfo 6.0.0 → 6.0.1"}},
		{Kind: event.Answered, Message: "1795304669.000003", Thread: "1795304669.000001"},
		{Kind: event.Edited, Message: "1795304669.000001"},
		{Kind: event.Broadcast, Message: "1795304669.000004", Thread: "1795304669.000001"},
	}
	// The words are the notifier's; its own tests have them.
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(event.Event{}, "Lines")); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if first := got[0].Lines[0]; first != want[0].Lines[0] {
		t.Errorf("first line %q, want %q", first, want[0].Lines[0])
	}
	if bar := "  ▓░░░░░░░░░░░░░░░░░░░ 5 % · step 1 of 10 · since 12:00:00 UTC"; !cmp.Equal(got[2].Lines[1], bar) {
		t.Errorf("bar %q, want %q", got[2].Lines[1], bar)
	}
}

func TestAWebhooksRollout(t *testing.T) {
	got := play(t, func(url string) notifier.Config { return notifier.Config{Address: url + "/services/T/B/X"} })
	if len(got) != 2 || got[0].Kind != event.Hooked || got[1].Kind != event.Hooked {
		t.Errorf("events %v, want the start and the end", got)
	}
}

func play(t *testing.T, config func(url string) notifier.Config) []event.Event {
	t.Helper()
	server := httptest.NewServer(newChannel().handler())
	defer server.Close()
	bot, err := slack.New(config(server.URL))
	if err != nil {
		t.Fatal(err)
	}
	receipt := ""
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, m := range rollout {
		m.Canary = types.NamespacedName{Namespace: "test", Name: "podinfo"}
		m.From, m.To, m.StartedAt, m.At = "6.0.0", "6.0.1", at, at
		if receipt, err = bot.Notify(t.Context(), m, receipt); err != nil {
			t.Fatal(err)
		}
	}
	resp, err := http.Get(server.URL + "/events?from=0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var events []event.Event
	if err := json.NewDecoder(resp.Body).Decode(&events); err != nil {
		t.Fatal(err)
	}
	return events
}
