package load

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// program is one of this package's.
type program func(ctx context.Context, args []string, stdout, stderr io.Writer) int

// play returns what the program printed, and its exit code.
func play(t *testing.T, p program, args ...string) (string, int) {
	t.Helper()
	var out bytes.Buffer
	code := p(t.Context(), args, &out, &out)
	return out.String(), code
}

func wantOutput(t *testing.T, out string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in:\n%s", want, out)
		}
	}
}

// listen serves HTTP/1.1 and, without TLS too, HTTP/2.
func listen(t *testing.T, useTLS bool, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.Protocols = &http.Protocols{}
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetHTTP2(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.EnableHTTP2 = true
	if useTLS {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server
}

func TestHeySendsWhatItIsTold(t *testing.T) {
	file := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(file, []byte("from a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		tls  bool
		args []string
		want map[string]string // besides the defaults
	}{
		"defaults":                 {},
		"POST with a body":         {args: []string{"-m", "post", "-d", `{"a": 1}`, "-T", "application/json"}, want: map[string]string{"method": "POST", "body": `{"a": 1}`, "Content-Type": "application/json"}},
		"a body from a file":       {args: []string{"-m", "PUT", "-D", file}, want: map[string]string{"method": "PUT", "body": "from a file"}},
		"a host":                   {args: []string{"-host", "app.example.com"}, want: map[string]string{"host": "app.example.com"}},
		"a host as header":         {args: []string{"-H", "Host: app.example.com"}, want: map[string]string{"host": "app.example.com"}},
		"headers with colons":      {args: []string{"-H", "X-Canary: insider", "-H", "Cookie:canary=always; at=10:30"}, want: map[string]string{"X-Canary": "insider", "Cookie": "canary=always; at=10:30"}},
		"who and what":             {args: []string{"-U", "me", "-A", "text/plain", "-a", "user:pass:word"}, want: map[string]string{"User-Agent": "me", "Accept": "text/plain", "Authorization": "Basic dXNlcjpwYXNzOndvcmQ="}},
		"HTTP/2 without TLS":       {args: []string{"-h2"}, want: map[string]string{"protocol": "HTTP/2.0"}},
		"HTTP/2":                   {tls: true, args: []string{"-h2"}, want: map[string]string{"protocol": "HTTP/2.0"}},
		"TLS, HTTP/1.1":            {tls: true},
		"TLS by the name in -host": {tls: true, args: []string{"-host", "app.example.com:443"}, want: map[string]string{"host": "app.example.com:443", "sni": "app.example.com"}},
		"two dashes":               {args: []string{"--host=app.example.com", "--cpus=2"}, want: map[string]string{"host": "app.example.com"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := make(chan map[string]string, 1)
			server := listen(t, tc.tls, func(_ http.ResponseWriter, r *http.Request) { got <- seen(t, r) })
			out, code := play(t, Hey, append(tc.args, "-n", "1", "-c", "1", server.URL)...)
			if code != 0 {
				t.Fatalf("exit code %d: %s", code, out)
			}
			want := map[string]string{
				"method": "GET", "host": strings.TrimPrefix(strings.TrimPrefix(server.URL, "https://"), "http://"), "protocol": "HTTP/1.1",
				"Content-Type": "text/html", "User-Agent": "serin-loadtester",
			}
			maps.Copy(want, tc.want)
			if diff := cmp.Diff(want, <-got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			wantOutput(t, out, "[200]\t1 responses")
		})
	}
}

// seen is what matters of a request.
func seen(t *testing.T, r *http.Request) map[string]string {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	got := map[string]string{"method": r.Method, "host": r.Host, "protocol": r.Proto, "body": string(body)}
	if r.TLS != nil {
		got["sni"] = r.TLS.ServerName
	}
	for _, name := range []string{"Content-Type", "User-Agent", "X-Canary", "Cookie", "Accept", "Authorization"} {
		got[name] = r.Header.Get(name)
	}
	for name, value := range got {
		if value == "" {
			delete(got, name)
		}
	}
	return got
}

func TestHeySendsExactlyN(t *testing.T) {
	var requests atomic.Int64
	server := listen(t, false, func(w http.ResponseWriter, _ *http.Request) {
		if requests.Add(1)%4 == 0 {
			w.WriteHeader(http.StatusTeapot)
		}
		_, _ = io.WriteString(w, "12345")
	})
	out, code := play(t, Hey, "-n", "100", "-c", "7", server.URL)
	if code != 0 || requests.Load() != 100 {
		t.Errorf("exit code %d, %d requests, want 0 and 100", code, requests.Load())
	}
	wantOutput(t, out, "Status code distribution:\n  [200]\t75 responses\n  [418]\t25 responses\n",
		"Total data:\t500 bytes", "Size/request:\t5 bytes", "Requests/sec:", "  99% in ", "Slowest:", "Average:")
}

func TestHeyKeepsAllWorkersBusy(t *testing.T) {
	var together sync.WaitGroup
	together.Add(5)
	server := listen(t, false, func(http.ResponseWriter, *http.Request) {
		together.Done()
		together.Wait() // for ever, were there fewer
	})
	if out, code := play(t, Hey, "-n", "5", "-c", "5", server.URL); code != 0 {
		t.Errorf("exit code %d: %s", code, out)
	}
}

func TestHeyKeepsToItsRate(t *testing.T) {
	var requests atomic.Int64
	server := listen(t, false, func(http.ResponseWriter, *http.Request) { requests.Add(1) })
	begin := time.Now()
	if out, code := play(t, Hey, "-z", "1s", "-q", "20", "-c", "2", server.URL); code != 0 {
		t.Errorf("exit code %d: %s", code, out)
	}
	// The first comes at once. A busy machine may send fewer, but never more.
	if n := requests.Load(); n > 41 || n < 10 {
		t.Errorf("%d requests at 2 x 20 a second in a second", n)
	}
	if took := time.Since(begin); took < 900*time.Millisecond {
		t.Errorf("it took %s, want a second", took)
	}
}

// What is held up is not made up for: the canary would get it in one burst.
func TestHeyDoesNotCatchUp(t *testing.T) {
	var requests atomic.Int64
	var first sync.Once
	server := listen(t, false, func(http.ResponseWriter, *http.Request) {
		requests.Add(1)
		first.Do(func() { time.Sleep(500 * time.Millisecond) })
	})
	if out, code := play(t, Hey, "-z", "1s", "-q", "20", "-c", "1", server.URL); code != 0 {
		t.Errorf("exit code %d: %s", code, out)
	}
	if n := requests.Load(); n > 12 {
		t.Errorf("%d requests at 20 a second, half a second of which one was waited for", n)
	}
}

func TestHeyKeepsConnections(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want int64
	}{
		"one for each worker":  {nil, 1},
		"one for each request": {[]string{"-disable-keepalive"}, 10},
	} {
		t.Run(name, func(t *testing.T) {
			var conns atomic.Int64
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateNew {
					conns.Add(1)
				}
			}
			server.Start()
			defer server.Close()
			play(t, Hey, append(tc.args, "-n", "10", "-c", "1", server.URL)...)
			if got := conns.Load(); got != tc.want {
				t.Errorf("%d connections, want %d", got, tc.want)
			}
		})
	}
}

func TestHeyRedirects(t *testing.T) {
	server := listen(t, false, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, "/there", http.StatusFound)
		}
	})
	out, _ := play(t, Hey, "-n", "1", "-c", "1", server.URL)
	wantOutput(t, out, "[200]\t1 responses")
	out, _ = play(t, Hey, "-n", "1", "-c", "1", "-disable-redirects", server.URL)
	wantOutput(t, out, "[302]\t1 responses")
}

func TestHeyByProxy(t *testing.T) {
	asked := make(chan string, 1)
	proxy := listen(t, false, func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.String() })
	play(t, Hey, "-n", "1", "-c", "1", "-x", strings.TrimPrefix(proxy.URL, "http://"), "http://app.example.com/path")
	if got := <-asked; got != "http://app.example.com/path" {
		t.Errorf("the proxy was asked for %s", got)
	}
}

func TestHeyCountsErrorsOfOneCauseTogether(t *testing.T) {
	server := listen(t, false, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		// The connection is reset, and the error names the port on this side.
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	})
	out, code := play(t, Hey, "-n", "6", "-c", "2", "-disable-keepalive", server.URL)
	if code != exitUnanswered {
		t.Errorf("exit code %d, want %d", code, exitUnanswered)
	}
	wantOutput(t, out, "Error distribution:\n  [6]\tread tcp ", "no request was answered")
}

func TestHeyWhereNobodyListens(t *testing.T) {
	out, code := play(t, Hey, "-n", "3", "-c", "1", "http://127.0.0.1:1/")
	if code != exitUnanswered {
		t.Errorf("exit code %d, want %d", code, exitUnanswered)
	}
	wantOutput(t, out, "[3]\tdial tcp 127.0.0.1:1: connect: connection refused", "hey: no request was answered")
	if strings.Contains(out, "NaN") || strings.Contains(out, "Status code") {
		t.Errorf("it reports what there was not:\n%s", out)
	}
}

func TestHeyDoesNotWaitForEver(t *testing.T) {
	over := make(chan struct{})
	server := listen(t, false, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-over:
		case <-r.Context().Done():
		}
	})
	defer close(over)
	out, code := play(t, Hey, "-n", "1", "-c", "1", "-t", "1", server.URL)
	if code != exitUnanswered {
		t.Errorf("exit code %d, want %d", code, exitUnanswered)
	}
	wantOutput(t, out, "[1]\t", "Client.Timeout exceeded")
}

// A request that is under way when the end is asked for is waited for and counted.
func TestHeyEndsInOrder(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := listen(t, false, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		select {
		case <-r.Context().Done():
			t.Error("the request was cut off")
		case <-time.After(50 * time.Millisecond):
		}
	})
	var out bytes.Buffer
	if code := Hey(ctx, []string{"-z", "10m", "-c", "1", server.URL}, &out, &out); code != 0 {
		t.Errorf("exit code %d", code)
	}
	wantOutput(t, out.String(), "[200]\t1 responses")
	if strings.Contains(out.String(), "Error distribution") {
		t.Error(out.String())
	}
}

func TestHeyRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no address":      {nil, "one address is needed after the flags, there are 0"},
		"two addresses":   {[]string{"http://a/", "-n", "1"}, "there are 3"},
		"no scheme":       {[]string{"podinfo.test:9898"}, "is not an http or https URL"},
		"no such flag":    {[]string{"-zz", "1m", "http://a/"}, "not defined: -zz"},
		"a bad header":    {[]string{"-H", "X", "http://a/"}, `"X" is not of the form name: value`},
		"no workers":      {[]string{"-c", "0", "http://a/"}, "-c 0: load needs at least one worker"},
		"no requests":     {[]string{"-n", "0", "http://a/"}, "-z or -n says"},
		"less than none":  {[]string{"-q", "-1", "http://a/"}, "cannot be negative"},
		"no such body":    {[]string{"-D", "/nowhere", "http://a/"}, "-D: open /nowhere"},
		"CSV":             {[]string{"-o", "csv", "http://a/"}, "only the summary is printed"},
		"half of a user":  {[]string{"-a", "user", "http://a/"}, "user:password"},
		"an invalid verb": {[]string{"-m", "A B", "http://a/"}, "invalid method"},
		"a call for help": {[]string{"-h"}, "requests a second of each worker"},
	} {
		t.Run(name, func(t *testing.T) {
			out, code := play(t, Hey, tc.args...)
			if code != exitUsage {
				t.Errorf("exit code %d, want %d", code, exitUsage)
			}
			wantOutput(t, out, tc.want)
		})
	}
}

func TestErrorsAreBounded(t *testing.T) {
	rep := newReport()
	for i := range 2 * maxErrors {
		rep.add(answer{err: fmt.Errorf("error %d", i)}, time.Second)
	}
	if len(rep.errors) != maxErrors+1 || rep.errors["other errors"] != maxErrors {
		t.Errorf("%d kinds, %d others", len(rep.errors), rep.errors["other errors"])
	}
}
