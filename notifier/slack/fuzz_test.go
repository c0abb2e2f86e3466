package slack

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/serin-dev/serin/notifier/notifiertest"
)

// FuzzAnswer: whatever answers in Slack's place, a message is delivered or an error says why not, without
// the token and in a few words.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		``, `ok`, `null`, `{}`, `[]`, `{"ok":true}`, `{"ok":true,"ts":7,"channel":[]}`, `{"ok":false}`, `{"ok":false,"error":"` + token + `"}`,
		`{"ok":false,"error":"ratelimited"}`, `{"ok":false,"response_metadata":{"messages":[null]}}`, page, "\x00\xff", `{"ok":`,
	} {
		for _, code := range []int{200, 301, 404, 429, 500} {
			f.Add(code, "1", []byte(body))
		}
	}
	f.Add(429, "-1", []byte{})
	f.Add(429, "99999999999999999999", []byte{})
	f.Fuzz(func(t *testing.T, code int, after string, body []byte) {
		if code < 200 || code > 999 || strings.ContainsFunc(after, func(r rune) bool { return r < ' ' || r > '~' }) {
			return // no server can send it
		}
		for _, cfg := range []struct {
			name string
			bot  bool
		}{{"bot", true}, {"webhook", false}} {
			c := webhookConfig
			if cfg.bot {
				c = botConfig
			}
			w := &workspace{}
			n := open(t, w, c)
			w.next(status(code, string(body), "Retry-After", after))
			_, err := n.Notify(t.Context(), notifiertest.Rollback()[0], "")
			if err == nil {
				continue
			}
			if text := err.Error(); strings.Contains(text, token) || strings.Contains(text, webhookPath) || !utf8.ValidString(text) || utf8.RuneCountInString(text) > 2000 {
				t.Errorf("%s, HTTP %d: %q", cfg.name, code, text)
			}
			if code == http.StatusOK && strings.TrimSpace(string(body)) == "ok" && !cfg.bot {
				t.Errorf("an accepted message is an error: %v", err)
			}
		}
	})
}
