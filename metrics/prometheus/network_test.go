package prometheus_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/serin-dev/serin/metrics"
)

// isUnavailable asks once and compares the whole text, which holds no credentials then.
func isUnavailable(t *testing.T, cfg metrics.Config, want string) {
	t.Helper()
	_, err := newProvider(t, cfg).Query(t.Context(), "up")
	if !errors.Is(err, metrics.ErrUnavailable) {
		t.Fatalf("got %v, want unavailable", err)
	}
	if want = "provider unavailable: " + want; err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

func at(address string) string { return " (query at " + address + ": up)" }

func TestUnreachable(t *testing.T) {
	t.Run("a closed port", func(t *testing.T) {
		address := closedPort(t)
		isUnavailable(t, metrics.Config{Address: strings.Replace(address, "//", "//me:secret@", 1)},
			"connection refused; is it running, and is the port right?"+at(address))
	})
	t.Run("an answer that breaks off", func(t *testing.T) {
		address := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			reply(200, isJSON, success[:40])(w, r)
		})
		isUnavailable(t, metrics.Config{Address: address}, "the connection was closed before the answer was complete"+at(address))
	})
	t.Run("a connection that is closed at once", func(t *testing.T) {
		address := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		isUnavailable(t, metrics.Config{Address: address}, "the connection was closed before the answer was complete"+at(address))
	})
	t.Run("something that is not HTTP", func(t *testing.T) {
		address := babble(t, "SSH-2.0-OpenSSH\r\n")
		isUnavailable(t, metrics.Config{Address: address},
			`net/http: HTTP/1.x transport connection broken: malformed HTTP response "SSH-2.0-OpenSSH"`+at(address))
	})
}

// babble answers whatever comes with the same bytes.
func babble(t *testing.T, greeting string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096)) // wait for the question
			_, _ = conn.Write([]byte(greeting))
			_ = conn.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

func TestTimeout(t *testing.T) {
	release := make(chan struct{})
	headers := serve(t, func(_ http.ResponseWriter, r *http.Request) { wait(r, release) })
	body := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		wait(r, release)
	})
	t.Cleanup(func() { close(release) }) // before the servers close, which wait for their handlers
	for name, address := range map[string]string{"no answer": headers, "an answer without an end": body} {
		t.Run(name, func(t *testing.T) {
			isUnavailable(t, metrics.Config{Address: address, Timeout: 100 * time.Millisecond}, "no answer within 100ms"+at(address))
		})
	}
	t.Run("the caller's deadline goes before the provider's", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err := newProvider(t, metrics.Config{Address: headers, Timeout: time.Hour}).Query(ctx, "up")
		if !errors.Is(err, metrics.ErrUnavailable) || !strings.Contains(err.Error(), "called off") {
			t.Errorf("got %v", err)
		}
	})
}

func wait(r *http.Request, release chan struct{}) {
	select {
	case <-release:
	case <-r.Context().Done():
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var asked atomic.Int32
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		reply(200, isJSON, success)(w, r)
	})
	for name, code := range map[string]int{"moved": 301, "found": 302, "temporary, with the body": 307, "permanent, with the body": 308} {
		t.Run(name, func(t *testing.T) {
			address := serve(t, func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, other+"/prom/api/v1/query?token=x", code)
			})
			isUnavailable(t, metrics.Config{Address: address, Secret: map[string][]byte{"token": []byte("abc")}},
				"it redirects to "+other+"/prom; if that is Prometheus, make it the address"+at(address))
		})
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("the other server was asked %d times", n)
	}
}

func TestSecretsAreNotRepeated(t *testing.T) {
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		echo := strings.Join([]string{r.Header.Get("Authorization"), r.Header.Get("X-Api-Key"), "hunter22"}, " ")
		reply(500, isJSON, `{"status":"error","errorType":"internal","error":"refused `+echo+`"}`)(w, r)
	})
	isUnavailable(t, metrics.Config{
		Address: address,
		Headers: map[string][]string{"X-Api-Key": {"k-12345"}},
		Secret:  map[string][]byte{"username": []byte("me"), "password": []byte("hunter22\n")},
	}, "HTTP 500 Internal Server Error: refused *** *** ***"+at(address))
}

func TestConnectionsAreReused(t *testing.T) {
	var connections atomic.Int32
	s := httptest.NewUnstartedServer(reply(200, isJSON, success))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	p := newProvider(t, metrics.Config{Address: s.URL})
	for range 5 {
		if _, err := p.Query(t.Context(), "vector(1)"); err != nil {
			t.Fatal(err)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("5 questions took %d connections", n)
	}
}
