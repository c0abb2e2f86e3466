// Package webhook calls the hooks of an analysis: HTTP endpoints of the user's that start a load
// test, run an acceptance test, or say yes or no.
package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// Payload is what a hook receives, as JSON.
type Payload struct {
	Name      string            `json:"name"`
	Namespace string            `json:"namespace"`
	Phase     v1beta1.Phase     `json:"phase"`
	Checksum  string            `json:"checksum"`
	Metadata  map[string]string `json:"metadata,omitempty"`
}

// Reply is what a hook said. Passed is any 2xx; Message is the body of another answer.
type Reply struct {
	Passed  bool
	Message string
}

// ErrUnreachable says that the hook gave no answer at all: nothing is known.
var ErrUnreachable = errors.New("hook unreachable")

// maxBody bounds what is kept of a reply.
const maxBody = 2 << 10

// Caller calls hooks. It keeps connections between calls.
type Caller struct {
	// TrustedPrefixes are the URL prefixes of load testers that are sent the token in TokenFile.
	// The token goes nowhere else.
	TrustedPrefixes []string
	TokenFile       string

	strict, lax *http.Client
}

// New returns a caller.
func New(trusted []string, tokenFile string) *Caller {
	lax := http.DefaultTransport.(*http.Transport).Clone()
	lax.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // webhooks[].disableTLS asks for it by name
	// A redirect is an answer and not followed: the body would be lost, and the token could leave.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Caller{TrustedPrefixes: trusted, TokenFile: tokenFile,
		strict: &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone(), CheckRedirect: stay},
		lax:    &http.Client{Transport: lax, CheckRedirect: stay}}
}

// Call posts the payload and retries as the hook asks for. key is the same whenever the same call
// is repeated, so that the other side can recognise it. The error wraps ErrUnreachable.
func (c *Caller) Call(ctx context.Context, h v1beta1.CanaryWebhook, p Payload, key string) (Reply, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return Reply{}, fmt.Errorf("encode payload of hook %s: %w", h.Name, err)
	}
	var reply Reply
	for attempt := int32(0); ; attempt++ {
		var again bool
		reply, again, err = c.once(ctx, h, body, key)
		if !again || attempt >= h.Retries {
			return reply, err
		}
		select {
		case <-ctx.Done():
			return reply, err
		case <-time.After(backoff(attempt)):
		}
	}
}

// backoff doubles from one second to thirty, with a jitter that keeps many hooks from coming back at once.
func backoff(attempt int32) time.Duration {
	d := min(time.Second<<min(attempt, 5), 30*time.Second)
	return d/2 + rand.N(d/2) //nolint:gosec // a jitter is no secret
}

// once makes one call; again is true where a retry may help.
func (c *Caller) once(ctx context.Context, h v1beta1.CanaryWebhook, body []byte, key string) (reply Reply, again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, h.TimeoutDuration())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return Reply{}, false, unreachable(h, err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	if err := c.authorize(req); err != nil {
		return Reply{}, false, unreachable(h, err)
	}
	client := c.strict
	if h.DisableTLS {
		client = c.lax
	}
	resp, err := client.Do(req)
	if err != nil {
		return Reply{}, true, unreachable(h, err)
	}
	defer resp.Body.Close() //nolint:errcheck // nothing is left to be done about it
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return Reply{}, true, unreachable(h, err)
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return Reply{Passed: true}, false, nil
	}
	message := fmt.Sprintf("HTTP %d", resp.StatusCode)
	if said := strings.Join(strings.Fields(string(text)), " "); said != "" {
		message += ": " + said
	}
	return Reply{Message: message}, resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500, nil
}

// authorize adds the operator's token for a load tester that it was told of.
func (c *Caller) authorize(req *http.Request) error {
	if c.TokenFile == "" || !c.trusted(req.URL) {
		return nil
	}
	token, err := os.ReadFile(c.TokenFile)
	if err != nil {
		return fmt.Errorf("read the load tester token: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	return nil
}

// trusted compares scheme, host and each part of the path whole: a prefix of a name is another name.
func (c *Caller) trusted(u *url.URL) bool {
	for _, prefix := range c.TrustedPrefixes {
		t, err := url.Parse(prefix)
		if err == nil && t.Scheme == u.Scheme && t.Host == u.Host && strings.HasPrefix(folder(u.Path), folder(t.Path)) {
			return true
		}
	}
	return false
}

// folder is a path without detours, with a slash at its end.
func folder(p string) string { return strings.TrimSuffix(path.Clean("/"+p), "/") + "/" }

// unreachable words an error without the URL's query and credentials.
func unreachable(h v1beta1.CanaryWebhook, err error) error {
	host := h.URL
	if u, perr := url.Parse(h.URL); perr == nil {
		host = u.Host
	}
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err
	}
	return fmt.Errorf("%w: %s: %w", ErrUnreachable, host, err)
}
