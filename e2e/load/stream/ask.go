package stream

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
)

// maxBody bounds what is read of an answer.
const maxBody = 1 << 20

type answer struct {
	version  string
	cookies  []string
	failure  string
	repeated int
}

func overHTTP(spec Spec) [2]asker {
	// Not following redirects: the answer to a request is what is counted.
	same := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	protocols := &http.Protocols{}
	protocols.SetHTTP1(spec.Protocol == HTTP1)
	protocols.SetHTTP2(spec.Protocol == HTTP2)
	protocols.SetUnencryptedHTTP2(spec.Protocol == HTTP2)
	with := func(t *http.Transport) asker {
		t.Protocols = protocols
		t.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // who answers is known by its address
		client := &http.Client{Transport: t, Timeout: timeout, CheckRedirect: same}
		return func() answer {
			if t.DisableKeepAlives {
				defer client.CloseIdleConnections() // HTTP/2 keeps one all the same
			}
			return ask(client, spec)
		}
	}
	return [2]asker{with(&http.Transport{MaxIdleConnsPerHost: 256}), with(&http.Transport{DisableKeepAlives: true})}
}

// ask counts the connections that a request is given: one for each attempt, in HTTP/2 too. Go repeats a GET on
// another one when a kept one ends, or its server refuses the request, before an answer has begun.
func ask(client *http.Client, spec Spec) answer {
	var attempts atomic.Int32
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { attempts.Add(1) },
	})
	a := exchange(ctx, client, spec)
	a.repeated = max(0, int(attempts.Load())-1)
	return a
}

func exchange(ctx context.Context, client *http.Client, spec Spec) answer {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, spec.URL, nil)
	if err != nil {
		return answer{failure: err.Error()}
	}
	req.Host = spec.Host
	for name, value := range spec.Headers {
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{failure: err.Error()}
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	switch {
	case err != nil:
		return answer{failure: fmt.Sprintf("the answer breaks off: %v", err)}
	case resp.StatusCode != spec.Expect:
		return answer{failure: fmt.Sprintf("status %d: %s", resp.StatusCode, shorten(string(body)))}
	}
	return answer{version: version(body), cookies: cookies(resp)}
}

// cookies are those that an answer sets, without what else it says of them.
func cookies(resp *http.Response) (pairs []string) {
	for _, c := range resp.Cookies() {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return pairs
}

// version reads podinfo's answer; others have none.
func version(body []byte) string {
	var said struct{ Version string }
	_ = json.Unmarshal(body, &said) // an answer that is no JSON names no version
	return said.Version
}

func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return s[:min(len(s), 120)]
}
