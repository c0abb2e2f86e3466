package hooktest

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/notifiertest"
)

// Answers fuzzes what the place answers: a message is delivered, or an error says why not, without a secret
// and in a few words, and asks for no pause that is never over.
func Answers(f *testing.F, open func(t *testing.T) Place) {
	for _, body := range []string{
		``, `ok`, `null`, `[]`, `{"retry_after":-1}`, `{"retry_after":1e300}`, `{"retry_after":"x"}`, `{"success":false,"error":"` + Secrets[0] + `"}`,
		"\x00\xff", `{"message":`, strings.Repeat("x", 5000),
	} {
		for _, code := range []int{200, 204, 301, 307, 404, 429, 500, 503} {
			f.Add(code, "1", "/hooks/"+Secrets[0], []byte(body))
		}
	}
	for _, after := range []string{"-1", "1e300", "NaN", "Sun, 22 Nov 2099 10:00:00 GMT", "soon"} {
		f.Add(http.StatusTooManyRequests, after, "", []byte{})
	}
	f.Add(http.StatusFound, "", "http://%zz", []byte{})
	f.Fuzz(func(t *testing.T, code int, after, location string, body []byte) {
		if code < 200 || code > 999 || !printable(after) || !printable(location) || strings.Contains(location, "//") && location != "http://%zz" {
			return // no server can send it, or it leads to another one
		}
		p := open(t)
		p.Next(Status(code, string(body), "Retry-After", after, "Location", location))
		_, err := p.Open(t).Notify(t.Context(), notifiertest.Rollback()[4], "")
		if err == nil {
			if posted, _ := p.Last(); code/100 != 2 && posted == nil {
				t.Errorf("HTTP %d is taken for a success", code)
			}
			return
		}
		text := err.Error()
		for _, secret := range append(p.Secrets, Secrets...) {
			if strings.Contains(text, secret) {
				t.Errorf("HTTP %d: the error has a secret: %q", code, text)
			}
		}
		if !utf8.ValidString(text) || utf8.RuneCountInString(text) > 500 {
			t.Errorf("HTTP %d: %q", code, text)
		}
		if pause, ok := errors.AsType[*notifier.RetryAfter](err); ok && (pause.After <= 0 || pause.After > time.Hour) {
			t.Errorf("HTTP %d: a pause of %s", code, pause.After)
		}
	})
}

// printable is what a header can hold.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
