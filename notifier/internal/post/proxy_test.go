package post

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

// The addresses do not exist or serve something else, so that only the proxy can have delivered.
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
			address: "http://acme.invalid", configured: true, want: "POST acme.invalid Basic dXNlcjpwYTU1dzByZA==",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			s, roots := httptest.NewUnstartedServer(status(http.StatusOK, "")), x509.NewCertPool()
			if strings.HasPrefix(test.address, "https:") {
				s.StartTLS()
				roots.AddCert(s.Certificate())
			} else {
				s.Start()
			}
			t.Cleanup(s.Close)
			p, proxyURL := startProxy(t, s.URL)
			if test.env {
				t.Setenv("HTTPS_PROXY", proxyURL)
			}
			configured := ""
			if test.configured {
				t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
				configured = strings.Replace(proxyURL, "://", "://user:pa55w0rd@", 1)
			}
			c, err := New("acme", configured, roots, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.send(t.Context(), address(t, test.address+secret)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{test.want}, p.asked); diff != "" {
				t.Errorf("asked of the proxy (-want +got):\n%s", diff)
			}
		})
	}
}
