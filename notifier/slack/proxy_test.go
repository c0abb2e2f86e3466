package slack

import (
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/notifiertest"
)

// proxy is an HTTP proxy that leads every request to one server, whatever it asks for, and keeps what
// it was asked for.
type proxy struct {
	target string
	mu     sync.Mutex
	asked  []string
}

func startProxy(t *testing.T, target string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{target: u.Host}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	return p, s.URL
}

func (p *proxy) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.Host+" "+r.Header.Get("Proxy-Authorization"))
	p.mu.Unlock()
	if r.Method == http.MethodConnect {
		p.tunnel(rw)
		return
	}
	r.URL.Host, r.RequestURI = p.target, ""
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadGateway)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	rw.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(rw, resp.Body)
}

func (p *proxy) tunnel(rw http.ResponseWriter) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadGateway)
		return
	}
	rw.WriteHeader(http.StatusOK)
	client, read, err := rw.(http.Hijacker).Hijack() // the client may have said something already
	if err != nil {
		_ = server.Close()
		return
	}
	go func() { _, _ = io.Copy(server, read); _ = server.Close() }()
	_, _ = io.Copy(client, server)
	_ = client.Close()
}

// The addresses do not exist or do not serve Slack, so that only the proxy can have delivered.
func TestProxy(t *testing.T) {
	for sentence, test := range map[string]struct {
		address         string
		configured, env bool
		want            string
	}{
		"the environment's HTTPS_PROXY is used": {
			address: "https://example.com", env: true, want: "CONNECT example.com:443 ",
		},
		"a configured proxy beats the environment's, with its password": {
			address: "https://example.com", env: true, configured: true, want: "CONNECT example.com:443 Basic dXNlcjpwYTU1dzByZA==",
		},
		"a configured proxy carries plain HTTP": {
			address: "http://slack.invalid", configured: true, want: "POST slack.invalid Basic dXNlcjpwYTU1dzByZA==",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := &workspace{}
			target, roots := w.webhookURL(t), (*x509.CertPool)(nil)
			if strings.HasPrefix(test.address, "https:") {
				target, roots = overTLS(t, target)
			}
			p, address := startProxy(t, target)
			cfg := notifier.Config{Address: test.address + webhookPath}
			if test.env {
				t.Setenv("HTTPS_PROXY", address)
			}
			if test.configured {
				t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
				cfg.Proxy = strings.Replace(address, "://", "://user:pa55w0rd@", 1)
			}
			n, err := build(cfg, roots)
			if err != nil {
				t.Fatal(err)
			}
			tell(t, n, notifiertest.Rollback()[0], "")
			if diff := cmp.Diff([]string{test.want}, p.asked); diff != "" {
				t.Errorf("asked of the proxy (-want +got):\n%s", diff)
			}
		})
	}
}
