// Package post is the way out that notifiers share. It sends through a proxy and within a time, keeps
// quiet for as long as a service asked, and its errors name the service but never its address: who
// knows that can post there.
package post

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/serin-dev/serin/pkg/dial"
)

// timeout bounds one call, for callers whose context has a later deadline or none.
const timeout = 10 * time.Second

// maxAnswer is how much of an answer is read.
const maxAnswer = 4 << 10

// Client speaks to one service. Its pause is for all rollouts: the rate limit that one has met is not
// made worse by the others.
type Client struct {
	service string
	http    *http.Client
	pause   pause
}

// New returns a client for the service of that name, as it stands in errors. Without a proxy that of
// the environment is used; roots are the authorities that its certificate is checked against, nil the
// system's.
func New(service, proxy string, roots *x509.CertPool, guard *dial.Guard) (*Client, error) {
	through, err := proxyFunc(service, proxy)
	if err != nil {
		return nil, err
	}
	transport := guard.Transport(through)
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return &Client{
		service: service,
		pause:   pause{now: time.Now},
		http: &http.Client{
			Transport: transport,
			Timeout:   timeout,
			// A redirected POST holds its secrets still: it goes where it was addressed to, or nowhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Address reads the URL of a service. Secrets written with echo or an editor end in a newline.
func Address(service, address string) (*url.URL, error) {
	address = strings.TrimSpace(address)
	if address == "" {
		return nil, fmt.Errorf("%s needs an address and has none: put the webhook's URL under the key address into the Secret that secretRef names", service)
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, fmt.Errorf("%s's address is not a URL that begins with https:// or http:// (it is not shown here because it may be a secret)", service)
	}
	return u, nil
}

// Do sends a request. A service that asks for a pause makes an error that wraps a *notifier.RetryAfter.
func (c *Client) Do(r *http.Request) (*http.Response, error) {
	if left := c.pause.left(); left > 0 {
		return nil, RateLimited(c.service, left)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, unanswered(c.service, r.URL.Host, err)
	}
	if after := resp.Header.Get("Retry-After"); resp.StatusCode == http.StatusTooManyRequests ||
		resp.StatusCode == http.StatusServiceUnavailable && after != "" {
		defer func() { _ = resp.Body.Close() }()
		answer, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // the header may say it all
		return nil, RateLimited(c.service, c.pause.begin(after, answer))
	}
	return resp, nil
}

// Post sends a body. Any answer but a success is an error that wraps a *StatusError.
func (c *Client) Post(ctx context.Context, to *url.URL, header http.Header, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("address %s: %w", c.service, WithoutAddresses(err))
	}
	r.Header = header.Clone()
	r.Header.Set("User-Agent", "serin")
	resp, err := c.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode/100 == 2 {
		return nil // whatever became of the answer: a repetition would be a second message
	}
	if err != nil {
		answer = nil
	}
	return Answered(c.service, resp.StatusCode, answer)
}
