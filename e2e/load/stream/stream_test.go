package stream

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

func TestCountsWhatComesBack(t *testing.T) {
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := requests.Add(1)
		if r.Host != "app.example.com" {
			t.Errorf("host is %q", r.Host)
		}
		if n%10 == 0 {
			http.Error(w, "no healthy upstream", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte(`{"version":"6.0.` + string('0'+n%2) + `"}`))
	}))
	defer server.Close()

	s := Start(Spec{URL: server.URL, Host: "app.example.com", Rate: 200, Expect: http.StatusOK})
	for requests.Load() < 100 {
		time.Sleep(time.Millisecond)
	}
	r := s.Stop()
	sent, failed := r.Total.Sent, r.Total.Failed
	if want := int(requests.Load()); sent != want || failed != want/10 || r.Pending != 0 {
		t.Errorf("%d sent, %d failed, %d pending; the server got %d and refused %d", sent, failed, r.Pending, want, want/10)
	}
	if share := r.Total.Share("6.0.1"); share < 50 || share > 60 {
		t.Errorf("6.0.1 has %.0f %% of %v", share, r.Total.Versions)
	}
	if len(r.Failures) == 0 || !strings.Contains(r.Failures[0].What, "no healthy upstream") {
		t.Errorf("failures %v do not say what was answered", r.Failures)
	}
}

func TestAFaultThatWasAskedForIsNoFailure(t *testing.T) {
	var once sync.Once
	answered := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		once.Do(func() { close(answered) })
	}))
	defer server.Close()
	s := Start(Spec{URL: server.URL, Rate: 100, Expect: http.StatusInternalServerError})
	<-answered
	if r := s.Stop(); r.Total.Failed != 0 || r.Total.Sent == 0 {
		t.Errorf("%v", r.Total)
	}
}

func TestASlowServerDoesNotSlowTheStream(t *testing.T) {
	enough := make(chan struct{})
	var waiting atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if waiting.Add(1) == 20 {
			close(enough)
		}
		<-enough
	}))
	defer server.Close()
	s := Start(Spec{URL: server.URL, Rate: 200, Expect: http.StatusOK})
	select {
	case <-enough:
	case <-time.After(timeout / 2):
		t.Error("the stream waits for answers before it goes on")
	}
	if err := s.Stop().Unsent(); err != nil {
		t.Error(err)
	}
}

// TestProtocols counts connections, versions and cookies of requests by each protocol.
func TestProtocols(t *testing.T) {
	version := func(proto string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Proto != proto || r.Host != "app.example.com" {
				t.Errorf("%s for %s, want %s", r.Proto, r.Host, proto)
			}
			_, _ = w.Write([]byte(`{"version":"6.0.1"}`))
		}
	}
	grpcVersion := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != versionMethod || r.Host != "app.example.com" {
			t.Errorf("%s of %s", r.URL.Path, r.Host)
		}
		message := protowire.AppendString(protowire.AppendTag(nil, versionField, protowire.BytesType), "6.0.1")
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		_, _ = w.Write(append([]byte{0, 0, 0, 0, byte(len(message))}, message...))
		w.Header().Set("Grpc-Status", "0")
	}
	for protocol, handler := range map[string]http.HandlerFunc{
		HTTP1: version("HTTP/1.1"), HTTP2: version("HTTP/2.0"), GRPC: grpcVersion,
	} {
		t.Run("protocol "+protocol, func(t *testing.T) {
			var requests, connections atomic.Int32
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				http.SetCookie(w, &http.Cookie{Name: "met", Value: r.Header.Get("X-Canary"), Path: "/"})
				handler(w, r)
			}))
			server.Config.Protocols = &http.Protocols{}
			server.Config.Protocols.SetHTTP1(true)
			server.Config.Protocols.SetUnencryptedHTTP2(true)
			server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateNew {
					connections.Add(1)
				}
			}
			server.Start()
			defer server.Close()
			s := Start(Spec{
				URL: server.URL, Host: "app.example.com", Headers: map[string]string{"x-canary": "insider"},
				Protocol: protocol, Rate: 100, Expect: http.StatusOK,
			})
			for requests.Load() < 60 {
				time.Sleep(time.Millisecond)
			}
			r := s.Stop()
			if r.Total.Failed > 0 || r.Total.Share("6.0.1") != 100 {
				t.Errorf("%v: %v", r.Total, r.Failures)
			}
			if r.Total.Repeated > r.Total.Sent/10 {
				t.Errorf("%v: a connection of its own is no repeat", r.Total)
			}
			if n := r.Total.Cookies["met=insider"]; n != r.Total.Sent {
				t.Errorf("%d answers with the cookie of %d: %v", n, r.Total.Sent, r.Total.Cookies)
			}
			if all, half := connections.Load(), requests.Load()/2; all < half || all > half+10 {
				t.Errorf("%d connections for %d requests, want half as many and a few", all, requests.Load())
			}
		})
	}
}

func TestBetweenLeavesOutTheLastSecond(t *testing.T) {
	r := Report{Seconds: []Second{{At: 10, Count: Count{Sent: 1}}, {At: 11, Count: Count{Sent: 2}}, {At: 12, Count: Count{Sent: 4}}}}
	if got := r.Between(time.Unix(10, 0), time.Unix(12, 0)).Sent; got != 3 {
		t.Errorf("%d sent, want 3", got)
	}
}

func TestACountShowsWhatWasSentAgain(t *testing.T) {
	c := Count{Sent: 200, Failed: 1, Repeated: 3, Versions: map[string]int{"6.0.0": 150, "6.0.1": 50}}
	if got, want := c.String(), "200 sent, 1 failed, 3 repeated, 6.0.0 75.0 %, 6.0.1 25.0 %"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestUnsent(t *testing.T) {
	for name, c := range map[string]struct {
		sent int
		took time.Duration
		want string
	}{
		"all":            {sent: 501, took: 10 * time.Second},
		"nine in ten":    {sent: 450, took: 10 * time.Second},
		"one less":       {sent: 449, took: 10 * time.Second, want: "449 requests sent in 10s at 50 per second, which makes 500: want 450 (90 %) at least"},
		"none":           {took: 10 * time.Second, want: "0 requests sent in 10s"},
		"none, at once":  {took: time.Millisecond, want: "0 requests sent in 0s at 50 per second, which makes 0: want 1 (90 %) at least"},
		"first, at once": {sent: 1, took: time.Millisecond},
	} {
		r := Report{Spec: Spec{Rate: 50}, Started: time.Unix(1, 0), Until: time.Unix(1, 0).Add(c.took), Total: Count{Sent: c.sent}}
		err := r.Unsent()
		if (err != nil) != (c.want != "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestSpecsThatCannotBeSent(t *testing.T) {
	for name, spec := range map[string]Spec{
		"no such protocol": {URL: "http://x/", Protocol: "spdy", Rate: 1, Expect: 200},
		"no URL":           {Rate: 1, Expect: 200},
		"no rate":          {URL: "http://x/", Expect: 200},
		"no such state":    {URL: "http://x/", Rate: 1, Expect: 99},
	} {
		if spec.Check() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
