package slack

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/notifiertest"
)

var botConfig = notifier.Config{Token: token, Channel: "releases"}

// tell delivers one message and fails the test when that is not possible.
func tell(t *testing.T, n notifier.Notifier, m notifier.Message, receipt string) string {
	t.Helper()
	receipt, err := n.Notify(t.Context(), m, receipt)
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

// standingMessages counts what stands in the channel and in its threads.
func (w *workspace) standingMessages() (channel, threads int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.messages {
		switch {
		case m.deleted:
		case m.thread == "":
			channel++
		default:
			threads++
		}
	}
	return channel, threads
}

func (w *workspace) expect(t *testing.T, channel, threads int) {
	t.Helper()
	gotChannel, gotThreads := w.standingMessages()
	if gotChannel != channel || gotThreads != threads {
		t.Errorf("%d messages and %d lines in threads, want %d and %d:\n%s", gotChannel, gotThreads, channel, threads, w.view())
	}
}

func TestReceiptIsChannelAndTimestamp(t *testing.T) {
	got := tell(t, open(t, &workspace{}, botConfig), notifiertest.Rollback()[0], "")
	if want := "C0001/1795304669.000001"; got != want {
		t.Errorf("receipt %q, want %q", got, want)
	}
}

func TestLostMessageIsPostedAnew(t *testing.T) {
	messages := notifiertest.Rollback()
	for _, code := range []string{"message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found"} {
		t.Run(code, func(t *testing.T) {
			w := &workspace{}
			n := open(t, w, botConfig)
			first := tell(t, n, messages[0], "")
			w.next(refuse(code))
			second := tell(t, n, messages[1], first)
			if second == first {
				t.Errorf("the receipt stays %s", first)
			}
			w.expect(t, 2, 2)
		})
	}
}

func TestDeletedMessageIsPostedOnceHoweverOftenRepeated(t *testing.T) {
	w := &workspace{}
	n := open(t, w, botConfig)
	messages := notifiertest.Rollback()
	lost := tell(t, n, messages[0], "")
	w.remove()

	w.next(refuse("message_not_found"), pass(w), status(http.StatusServiceUnavailable, ""))
	if _, err := n.Notify(t.Context(), messages[1], lost); err == nil {
		t.Fatal("the line in the thread was delivered")
	}
	// The caller may have died before it could keep the new receipt.
	tell(t, n, messages[1], lost)
	w.expect(t, 1, 2)
}

// pass lets a call through that follows a canned answer.
func pass(w *workspace) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		answer(rw, w.postMessage(r.PostForm))
	}
}

func TestRepetitionCompletesWhatWasDeliveredInPart(t *testing.T) {
	start := notifiertest.Rollback()[0]
	for sentence, answers := range map[string]func(*workspace) []http.HandlerFunc{
		"nothing arrived":            func(*workspace) []http.HandlerFunc { return []http.HandlerFunc{status(502, "")} },
		"the thread's line did not":  func(w *workspace) []http.HandlerFunc { return []http.HandlerFunc{pass(w), status(502, "")} },
		"all arrived, said it twice": func(*workspace) []http.HandlerFunc { return nil },
	} {
		for kept, keep := range map[string]bool{", receipt kept": true, ", receipt lost": false} {
			t.Run(sentence+kept, func(t *testing.T) {
				w := &workspace{}
				n := open(t, w, botConfig)
				w.next(answers(w)...)
				receipt, _ := n.Notify(t.Context(), start, "")
				if !keep {
					receipt = ""
				}
				tell(t, n, start, receipt)
				w.expect(t, 1, 1)
			})
		}
	}
}

func TestPartialDeliveryReturnsItsReceipt(t *testing.T) {
	w := &workspace{}
	n := open(t, w, botConfig)
	w.next(pass(w), status(http.StatusServiceUnavailable, ""))
	receipt, err := n.Notify(t.Context(), notifiertest.Rollback()[0], "")
	if err == nil || receipt != "C0001/1795304669.000001" {
		t.Errorf("receipt %q, error %v; want the card's receipt and an error", receipt, err)
	}
}

func TestUsername(t *testing.T) {
	cfg := botConfig
	cfg.Username = "serin"
	for sentence, test := range map[string]struct {
		scopes    string
		want      []string
		wantCalls int
	}{
		"an app that may, speaks under the name":              {"chat:write.customize", []string{"serin", "serin"}, 2},
		"one that may not, speaks under its own, asking once": {"", []string{"", ""}, 3},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := &workspace{scopes: test.scopes}
			tell(t, open(t, w, cfg), notifiertest.Rollback()[0], "")
			if diff := cmp.Diff(test.want, w.usernames()); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
			if calls := w.callsSoFar(); calls != test.wantCalls {
				t.Errorf("%d calls, want %d", calls, test.wantCalls)
			}
		})
	}
}

func TestOnlyAFailureIsShownInTheChannelToo(t *testing.T) {
	for _, messages := range [][]notifier.Message{notifiertest.Promotion(), notifiertest.Rollback()} {
		w := &workspace{}
		n := open(t, w, botConfig)
		receipt := ""
		for _, m := range messages {
			receipt = tell(t, n, m, receipt)
		}
		want := messages[len(messages)-1].Severity == notifier.Error
		if got := strings.Contains(w.view(), "shown in the channel too"); got != want {
			t.Errorf("shown in the channel: %v, want %v:\n%s", got, want, w.view())
		}
	}
}
