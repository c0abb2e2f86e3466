package webhook

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"unicode/utf8"
)

// FuzzReply: whatever a hook answers is a pass, a refusal in a few words, or an error.
func FuzzReply(f *testing.F) {
	for _, body := range []string{"", "no", "<html>", "\x00\xff\xfe", "{\"a\":", "  \n\t\u2028", "\u202e"} {
		for _, status := range []int{200, 204, 301, 304, 400, 429, 500, 599, 999} {
			f.Add(status, "Retry-After", "1", []byte(body))
		}
	}
	f.Add(307, "Location", "/", []byte{})
	f.Add(200, "Content-Encoding", "gzip", []byte("no gzip"))
	f.Add(401, "Www-Authenticate", "Negotiate", []byte{})
	var answer http.HandlerFunc
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w, r) }))
	f.Cleanup(s.Close)
	f.Fuzz(func(t *testing.T, status int, name, value string, body []byte) {
		if status < 200 || status > 999 {
			return // no server can send it
		}
		answer = func(w http.ResponseWriter, _ *http.Request) {
			w.Header()[name] = []string{value}
			w.WriteHeader(status)
			_, _ = w.Write(body) // some have none
		}
		h := hook(s.URL)
		h.Timeout = "1s"
		r, err := New(nil, nil, "").Call(t.Context(), call(h))
		if err != nil {
			r.Message = err.Error()
		}
		if r.Passed && (err != nil || status > 299) {
			t.Errorf("HTTP %d passes: %+v, %v", status, r, err)
		}
		if !utf8.ValidString(r.Message) || len(r.Message) > 4*maxBody { // what is no UTF-8 grows, and a status clips it
			t.Errorf("%d characters: %q", utf8.RuneCountInString(r.Message), r.Message)
		}
	})
}
