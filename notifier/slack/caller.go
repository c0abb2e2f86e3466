package slack

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/net/http/httpproxy"

	"github.com/serin-dev/serin/notifier"
)

// timeout bounds one call, for callers whose context has a later deadline or none.
const timeout = 10 * time.Second

// caller is the one way out to Slack. It keeps quiet for as long as Slack asked, so that one rollout's
// rate limit is not made worse by the others, and its errors hold no URL.
type caller struct {
	client *http.Client
	pause  pause
}

func newCaller(proxy string, roots *x509.CertPool) (*caller, error) {
	through, err := proxyFunc(proxy)
	if err != nil {
		return nil, err
	}
	return &caller{
		pause: pause{now: time.Now},
		client: &http.Client{
			Transport: &http.Transport{
				Proxy:             through,
				TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
				ForceAttemptHTTP2: true,
				IdleConnTimeout:   time.Minute,
			},
			Timeout: timeout,
			// The body of a redirected POST holds the token: it goes where it was addressed to, or nowhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// proxyFunc reads the environment now, not once for the life of the process as net/http does.
func proxyFunc(proxy string) (func(*http.Request) (*url.URL, error), error) {
	if proxy == "" {
		environment := httpproxy.FromEnvironment().ProxyFunc()
		return func(r *http.Request) (*url.URL, error) { return environment(r.URL) }, nil
	}
	u, err := url.Parse(proxy)
	if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) {
		return nil, errors.New("slack's proxy is not a URL like http://proxy.example:3128 (it is not shown here because it may hold a password)")
	}
	return http.ProxyURL(u), nil
}

// Do sends a request; a rate limit is an error that wraps a *notifier.RetryAfter.
func (c *caller) Do(r *http.Request) (*http.Response, error) {
	if left := c.pause.left(); left > 0 {
		return nil, rateLimited(left)
	}
	resp, err := c.client.Do(r)
	if err != nil {
		return nil, unreachable(r.URL.Host, err)
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		_ = resp.Body.Close()
		return nil, rateLimited(c.pause.begin(resp.Header.Get("Retry-After")))
	}
	return resp, nil
}

func rateLimited(after time.Duration) error {
	return &notifier.RetryAfter{After: after, Err: errors.New("slack's rate limit is reached")}
}
