package slack

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/internal/card"
	"github.com/serin-dev/serin/notifier/notifiertest"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// compare holds text against testdata/<name>.golden.
func compare(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got); look at it and run with -update:\n%s", file, diff)
	}
}

// TestChannel shows the channel after each message of a rollout.
func TestChannel(t *testing.T) {
	for rollout, messages := range map[string][]notifier.Message{
		"rollback":  notifiertest.Rollback(),
		"promotion": notifiertest.Promotion(),
	} {
		for mode, cfg := range map[string]notifier.Config{
			"bot":     {Token: token, Channel: "releases"},
			"webhook": {},
		} {
			t.Run(rollout+" with a "+mode, func(t *testing.T) {
				w := &workspace{}
				n := open(t, w, cfg)
				var seen strings.Builder
				receipt := ""
				for _, m := range messages {
					var err error
					if receipt, err = n.Notify(t.Context(), m, receipt); err != nil {
						t.Fatal(err)
					}
					fmt.Fprintf(&seen, "# %s: %s\n%s\n", m.Kind, m.What, w.view())
				}
				compare(t, rollout+"-"+mode, seen.String())
			})
		}
	}
}

// TestCards shows what the rollouts of TestChannel do not meet.
func TestCards(t *testing.T) {
	held := notifiertest.Rollback()[3]
	for name, change := range map[string]func(*notifier.Message){
		"unnamed-cluster": func(m *notifier.Message) { m.Cluster = "" },
		"first-revision":  func(m *notifier.Message) { *m = notifiertest.Rollback()[0]; m.From = "" },
		"error": func(m *notifier.Message) {
			m.Severity, m.What = notifier.Error, "Gloo rejected RouteTable apps/podinfo"
			m.Why, m.Next = `"route with no destination"`, "Undo that edit; Serin goes on by itself"
		},
		"superseded": func(m *notifier.Message) {
			m.Kind, m.What, m.Why, m.Next = notifier.Ended, "superseded by 6.0.3", "", "6.0.3 starts when the traffic is back on 6.0.1"
		},
		"adoption": func(m *notifier.Message) { *m = notifiertest.Adoption() },
		"over-midnight": func(m *notifier.Message) {
			m.At, m.NextCheckAt = m.At.Add(time.Hour), m.NextCheckAt.Add(time.Hour)
		},
		"unicode": func(m *notifier.Message) {
			m.Why = "Größe <b>über</b> 限界 & 🐤\r\n\tfoo\x00bar\xff"
			m.Checks[0].Name, m.Checks[0].Value = "größe `x`", "限界 > 3"
		},
		"many-checks": func(m *notifier.Message) {
			for i := range 20 {
				m.Checks = append(m.Checks, notifier.Check{Name: fmt.Sprintf("extra %d", i), Verdict: "Passed", Value: "1", Requests: 1_234_567})
			}
			m.Checks[22].Verdict = "Failed"
		},
		"nothing-known": func(m *notifier.Message) { *m = notifier.Message{Kind: notifier.Ended, Canary: m.Canary} },
	} {
		t.Run(name, func(t *testing.T) {
			m := held
			m.Checks = append([]notifier.Check(nil), held.Checks...)
			change(&m)
			w := &workspace{}
			if _, err := open(t, w, notifier.Config{}).Notify(t.Context(), m, ""); err != nil {
				t.Fatal(err)
			}
			compare(t, "card-"+name, w.view())
		})
	}
}

// TestPayload pins what goes over the wire.
func TestPayload(t *testing.T) {
	hook := &webhook{channel: "releases", username: "serin"}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(hook.message(card.Bounded(notifiertest.Rollback()[3]))); err != nil {
		t.Fatal(err)
	}
	compare(t, "payload", b.String())
}
