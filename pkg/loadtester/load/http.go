package load

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

func (o *heyOptions) client() *http.Client {
	transport := &http.Transport{
		Proxy:              http.ProxyURL(o.proxy),
		Protocols:          o.protocols(),
		DisableCompression: o.noCompression,
		DisableKeepAlives:  o.noKeepAlive,
		// Otherwise most of the workers would connect anew each time.
		MaxIdleConnsPerHost: o.plan.workers,
		TLSClientConfig: &tls.Config{
			InsecureSkipVerify: true, //nolint:gosec // hey does not look at certificates either: gateways often have one of their own
			ServerName:         (&url.URL{Host: o.request.Host}).Hostname(),
		},
	}
	client := &http.Client{Transport: transport, Timeout: o.timeout}
	if o.noRedirects {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return client
}

// protocols are one alone: what is measured is what was asked for.
func (o *heyOptions) protocols() *http.Protocols {
	p := &http.Protocols{}
	p.SetHTTP1(!o.http2)
	p.SetHTTP2(o.http2)
	p.SetUnencryptedHTTP2(o.http2)
	return p
}

func (o *heyOptions) shot(client *http.Client) shot {
	return func(ctx context.Context, _ int64) answer {
		req := o.request.Clone(ctx)
		if len(o.body) > 0 {
			req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(o.body)), int64(len(o.body))
			req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(o.body)), nil }
		}
		resp, err := client.Do(req)
		if err != nil {
			return answer{err: err}
		}
		defer func() { _ = resp.Body.Close() }()
		n, err := io.Copy(io.Discard, resp.Body)
		if err != nil {
			return answer{err: err, reached: true}
		}
		return answer{status: strconv.Itoa(resp.StatusCode), bytes: n, reached: true}
	}
}
