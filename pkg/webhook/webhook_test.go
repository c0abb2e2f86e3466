package webhook

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/apis/v1beta1"
)

var payload = Payload{Name: "podinfo", Namespace: "apps", Phase: v1beta1.PhaseProgressing, Checksum: "abc",
	Metadata: map[string]string{"cmd": "hey"}, Rollout: 3, Image: "podinfo:6.0.1", Promoted: "podinfo:6.0.0", CanaryWeight: 125}

func hook(address string) v1beta1.CanaryWebhook {
	return v1beta1.CanaryWebhook{Name: "load", URL: address, Timeout: "5s"}
}

func call(h v1beta1.CanaryWebhook) Request {
	return Request{Hook: h, Payload: payload, Key: "u/1/Analysing/0"}
}

func TestReplies(t *testing.T) {
	for sentence, test := range map[string]struct {
		status int
		body   string
		want   Reply
	}{
		"200 passes":                      {200, "fine", Reply{Passed: true}},
		"202 passes":                      {202, "", Reply{Passed: true}},
		"203 passes":                      {203, "", Reply{Passed: true}},
		"204 passes":                      {204, "", Reply{Passed: true}},
		"a refusal is shown in its words": {403, "not on\n  Fridays", Reply{Message: "HTTP 403: not on Fridays"}},
		"a refusal without words":         {412, "", Reply{Message: "HTTP 412"}},
		"a failure is a refusal too":      {500, "oops", Reply{Again: true, Message: "HTTP 500: oops"}},
		"not modified is no pass":         {304, "", Reply{Message: "HTTP 304"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body) // 204 and 304 have none
			}))
			defer s.Close()
			got, err := New(nil, nil, "").Call(t.Context(), call(hook(s.URL)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("reply (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRequest(t *testing.T) {
	var got Payload
	var header http.Header
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		header = r.Header
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
	}))
	defer s.Close()
	if _, err := New(nil, nil, "").Call(t.Context(), call(hook(s.URL))); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(payload, got); diff != "" {
		t.Errorf("payload (-want +got):\n%s", diff)
	}
	if k := header.Get("Idempotency-Key"); k != "u/1/Analysing/0" {
		t.Errorf("the key is %q", k)
	}
	if a := header.Get("Authorization"); a != "" {
		t.Errorf("sent %q to a server that it was not told of", a)
	}
}

func TestRetries(t *testing.T) {
	for sentence, test := range map[string]struct {
		status  int
		retries int32
		calls   int32
		passed  bool
	}{
		"a failure is tried again":          {503, 1, 2, true},
		"too many requests are tried again": {429, 1, 2, true},
		"a refusal is an answer":            {403, 3, 1, false},
		"none were asked for":               {503, 0, 1, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int32
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if calls.Add(1) == 1 {
					w.WriteHeader(test.status)
				}
			}))
			defer s.Close()
			h := hook(s.URL)
			h.Retries = test.retries
			got, err := New(nil, nil, "").Call(t.Context(), call(h))
			if err != nil || got.Passed != test.passed || calls.Load() != test.calls {
				t.Errorf("got %+v %v after %d calls, want passed %t after %d", got, err, calls.Load(), test.passed, test.calls)
			}
		})
	}
}

func TestAnUnreachableHookSaysWhereAndNoSecret(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	address := strings.Replace(s.URL, "http://", "http://user:secret@", 1) + "/?token=secret"
	_, err := New(nil, nil, "").Call(t.Context(), call(hook(address)))
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), strings.TrimPrefix(s.URL, "http://")) || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

func TestTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	s.Config.ErrorLog = nil
	if _, err := New(nil, nil, "").Call(t.Context(), call(hook(s.URL))); !errors.Is(err, ErrUnreachable) {
		t.Errorf("an unknown certificate: got %v", err)
	}
	h := hook(s.URL)
	h.DisableTLS = true
	if got, err := New(nil, nil, "").Call(t.Context(), call(h)); err != nil || !got.Passed {
		t.Errorf("with disableTLS: got %+v %v", got, err)
	}
}

// TestTrusted: the token goes to the load testers that the operator was told of and to nobody whose
// name only begins like theirs.
func TestTrusted(t *testing.T) {
	for address, want := range map[string]bool{
		"http://loadtester.test/":              true,
		"http://loadtester.test/gate/check":    true,
		"http://loadtester.test:80/":           false,
		"http://loadtester.test.evil/":         false,
		"http://loadtester.test@evil/":         false,
		"http://evil/http://loadtester.test/":  false,
		"https://loadtester.test/":             false,
		"http://loadtester.testing/":           false,
		"https://gates.example/team-a/check":   true,
		"https://gates.example/team-a":         true,
		"https://gates.example/team-abc/check": false,
		"https://gates.example/":               false,
		"https://gates.example/team-a/../evil": false,
	} {
		c := New(nil, []string{"http://loadtester.test", "https://gates.example/team-a"}, "file")
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.trusted(u); got != want {
			t.Errorf("%s: got %t, want %t", address, got, want)
		}
	}
}

func TestTheTokenIsReadAnewAndSentToTrustedHosts(t *testing.T) {
	var sent []string
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { sent = append(sent, r.Header.Get("Authorization")) }))
	defer s.Close()
	file := filepath.Join(t.TempDir(), "token")
	c := New(nil, []string{s.URL}, file)
	for _, token := range []string{"first\n", "second\n"} { // kubelet rotates it
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Call(t.Context(), call(hook(s.URL))); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"Bearer first", "Bearer second"}, sent); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Call(t.Context(), call(hook(s.URL))); !errors.Is(err, ErrUnreachable) {
		t.Errorf("without its token: got %v", err)
	}
}

// TestARedirectIsNotFollowed: the body would be lost on the way, and the token could leave.
func TestARedirectIsNotFollowed(t *testing.T) {
	reached := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer other.Close()
	s := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer s.Close()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("token"), 0o600); err != nil {
		t.Fatal(err)
	}
	reply, err := New(nil, []string{s.URL}, file).Call(t.Context(), call(hook(s.URL)))
	if err != nil || reply.Passed || !strings.HasPrefix(reply.Message, "HTTP 307") {
		t.Errorf("reply %+v, %v; want a refusal that says HTTP 307", reply, err)
	}
	if reached {
		t.Error("the redirect was followed")
	}
}

// TestReservedAddressIsNotCalled: not by the hook's own URL; a redirect is not followed at all.
func TestReservedAddressIsNotCalled(t *testing.T) {
	_, err := New(nil, nil, "").Call(t.Context(), call(hook("http://169.254.169.254/latest/meta-data/")))
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "169.254.169.254 is refused: 169.254.169.254 is a link-local address") {
		t.Errorf("got %v", err)
	}
	s := httptest.NewServer(http.RedirectHandler("http://169.254.169.254/latest/meta-data/", http.StatusTemporaryRedirect))
	defer s.Close()
	got, err := New(nil, nil, "").Call(t.Context(), call(hook(s.URL)))
	if err != nil || got.Passed || got.Message != "HTTP 307" {
		t.Errorf("got %+v, %v; want the redirect for an answer", got, err)
	}
}
