package prometheus

import (
	"crypto/tls"
	"io"
	"maps"
	"net/http"
	"strings"

	"github.com/serin-dev/serin/pkg/dial"
)

const (
	// maxAnswer is far more than one number needs, and room for the samples of many series.
	maxAnswer = 8 << 20
	// maxPage is what is read of a page meant for people, to say that it is one.
	maxPage = 4 << 10
)

func httpClient(guard *dial.Guard, header http.Header, trust *tls.Config) *http.Client {
	return &http.Client{
		Transport:     &courier{next: transport(guard, trust), header: header},
		CheckRedirect: noRedirect,
	}
}

// transport has no timeouts of its own beyond those that keep connections healthy: each question
// brings its deadline.
func transport(guard *dial.Guard, trust *tls.Config) *http.Transport {
	t := guard.Transport(http.ProxyFromEnvironment)
	t.TLSClientConfig = trust
	t.MaxIdleConnsPerHost = 4
	t.MaxResponseHeaderBytes = 64 << 10
	return t
}

// noRedirect refuses to follow: the question is a POST, whose body most redirects lose, so that the
// server would complain of a query that it was never sent; and the credentials are not for whoever
// is named.
func noRedirect(req *http.Request, _ []*http.Request) error {
	to := *req.URL
	to.User, to.RawQuery = nil, ""
	to.Path = strings.TrimSuffix(to.Path, "/api/v1/query")
	return unavailable("it redirects to %s; if that is Prometheus, make it the address", &to)
}

// courier adds the headers and bounds what is read of the answer.
type courier struct {
	next   http.RoundTripper
	header http.Header
}

func (c *courier) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context()) // a RoundTripper may not change the caller's
	maps.Copy(req.Header, c.header)
	if host := c.header.Get("Host"); host != "" {
		req.Host = host
	}
	resp, err := c.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = &body{ReadCloser: resp.Body, left: maxAnswer}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		resp.Body = page{io.LimitReader(resp.Body, maxPage), resp.Body}
	}
	return resp, nil
}

// page ends early, without an error.
type page struct {
	io.Reader
	io.Closer
}

// body fails when it is longer than the bound.
type body struct {
	io.ReadCloser
	left int
}

func (b *body) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, badQuery("the answer is larger than %d MiB; ask for less, for example with sum() or more labels", maxAnswer>>20)
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
