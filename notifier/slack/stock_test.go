package slack

import (
	"regexp"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slacktest"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/notifiertest"
)

// TestStockServer delivers to slacktest's own chat.postMessage and reads the message over its websocket,
// as a member of the channel would.
func TestStockServer(t *testing.T) {
	s := slacktest.NewTestServer()
	s.Start()
	t.Cleanup(s.Stop)
	events := member(t, s)

	n, err := New(notifier.Config{Token: token, Channel: "C024BE91L", Address: s.GetAPIURL()})
	if err != nil {
		t.Fatal(err)
	}
	receipt := tell(t, n, notifiertest.Rollback()[0], "")
	if !regexp.MustCompile(`^C024BE91L/\d+$`).MatchString(receipt) {
		t.Errorf("receipt %q", receipt)
	}
	texts := map[string]bool{receiveText(t, events): true, receiveText(t, events): true}
	for _, want := range []string{
		":hatching_chick: production · apps/podinfo 6.0.1 → 6.0.2",
		"23:44:29 UTC · new revision. Starting 2 canary pods, at the latest until 23:54:29Z",
	} {
		if !texts[want] {
			t.Errorf("%q is not among %v", want, texts)
		}
	}
}

// member joins the server and returns what it sees.
func member(t *testing.T, s *slacktest.Server) <-chan slack.RTMEvent {
	t.Helper()
	rtm := slack.New("member", slack.OptionAPIURL(s.GetAPIURL())).NewRTM()
	done := make(chan struct{})
	go func() {
		defer close(done)
		rtm.ManageConnection()
	}()
	t.Cleanup(func() {
		_ = rtm.Disconnect()
		<-done
	})
	return rtm.IncomingEvents
}

func receiveText(t *testing.T, events <-chan slack.RTMEvent) string {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case e := <-events:
			if m, ok := e.Data.(*slack.MessageEvent); ok {
				return m.Text
			}
		case <-deadline:
			t.Fatal("no message arrived")
		}
	}
}
