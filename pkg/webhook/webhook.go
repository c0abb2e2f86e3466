// Package webhook calls the hooks of an analysis: HTTP endpoints of the user's that start a load
// test, run an acceptance test, or say yes or no.
package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/dial"
)

// Payload is what a hook receives, as JSON. The fields up to Metadata are Flagger's.
type Payload struct {
	Name      string            `json:"name"`
	Namespace string            `json:"namespace"`
	Phase     v1beta1.Phase     `json:"phase"`
	Checksum  string            `json:"checksum"`
	Metadata  map[string]string `json:"metadata,omitempty"`
	// Rollout numbers the run, Image is what it is about, Promoted what served when it began, and
	// CanaryWeight the canary's share of the traffic in percent.
	Rollout      int64          `json:"rollout,omitempty"`
	Image        string         `json:"image,omitempty"`
	Promoted     string         `json:"promoted,omitempty"`
	CanaryWeight v1beta1.Weight `json:"canaryWeight"`
}

// Request is one call of a hook.
type Request struct {
	Hook v1beta1.CanaryWebhook
	// Secret is what the hook's secretRef names; nil without.
	Secret  map[string][]byte
	Payload Payload
	// Key is the same whenever the same call is repeated, so that the other side can recognise it.
	Key string
}

// Reply is what a hook said. Passed is any 2xx; Message is the body of another answer. Again is true
// where it may answer otherwise later: 429 and 5xx.
type Reply struct {
	Passed, Again bool
	Message       string
}

// ErrUnreachable says that the hook gave no answer at all: nothing is known.
var ErrUnreachable = errors.New("hook unreachable")

const (
	// maxBody bounds what is kept of a reply, maxDrain what is read of it so that the connection can
	// be used again.
	maxBody, maxDrain = 2 << 10, 64 << 10
	// maxCall bounds a call with all of its retries, whatever its timeout says.
	maxCall = time.Hour
	// maxPause bounds the time before a retry.
	maxPause = 30 * time.Second
)

// Caller calls hooks. It keeps connections between calls.
type Caller struct {
	// TrustedPrefixes are the URL prefixes of load testers that are sent the token in TokenFile.
	// The token goes nowhere else.
	TrustedPrefixes []string
	TokenFile       string

	clients clients
}

// New returns a caller of what the guard allows.
func New(guard *dial.Guard, trusted []string, tokenFile string) *Caller {
	return &Caller{TrustedPrefixes: trusted, TokenFile: tokenFile, clients: clients{guard: guard}}
}

// Call posts the payload and retries as the hook asks for. The error wraps ErrUnreachable, and
// neither it nor the reply holds a token.
func (c *Caller) Call(ctx context.Context, r Request) (Reply, error) {
	body, err := json.Marshal(r.Payload)
	if err != nil {
		return Reply{}, fmt.Errorf("encode payload of hook %s: %w", r.Hook.Name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, bound(r.Hook))
	defer cancel()
	var reply Reply
	for attempt := int32(0); ; attempt++ {
		var pause time.Duration
		reply, pause, err = c.once(ctx, r, body)
		if err == nil && !reply.Again || attempt >= r.Hook.Retries {
			return reply, err
		}
		select {
		case <-ctx.Done():
			return reply, err
		case <-time.After(max(pause, backoff(attempt))):
		}
	}
}

// bound is the longest that a call can take: each attempt its timeout, and the pauses between them.
func bound(h v1beta1.CanaryWebhook) time.Duration {
	timeout := min(h.TimeoutDuration(), maxCall)
	retries := min(max(h.Retries, 0), int32(maxCall/time.Second))
	return min(timeout+time.Duration(retries)*(timeout+maxPause), maxCall)
}

// backoff doubles from one second to thirty, with a jitter that keeps many hooks from coming back at once.
func backoff(attempt int32) time.Duration {
	d := min(time.Second<<min(attempt, 5), maxPause)
	return d/2 + rand.N(d/2) //nolint:gosec // a jitter is no secret
}

// once makes one call. The pause is what the hook asks for before another one.
func (c *Caller) once(ctx context.Context, r Request, body []byte) (Reply, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, r.Hook.TimeoutDuration())
	defer cancel()
	req, token, err := c.request(ctx, r, body)
	if err != nil {
		return Reply{}, 0, unreachable(r.Hook, err)
	}
	client, err := c.clients.of(r.Hook, r.Secret)
	if err != nil {
		return Reply{}, 0, unreachable(r.Hook, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return Reply{}, 0, unreachable(r.Hook, err)
	}
	defer resp.Body.Close() //nolint:errcheck // nothing is left to be done about it
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return Reply{}, 0, unreachable(r.Hook, err)
	}
	_, _ = io.CopyN(io.Discard, resp.Body, maxDrain)
	if resp.StatusCode/100 == 2 {
		return Reply{Passed: true}, 0, nil
	}
	again := resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500
	return Reply{Again: again, Message: refusal(resp.StatusCode, string(text), token)}, retryAfter(resp), nil
}

// refusal is an answer in one line. A server that echoes what it was sent does not tell the token.
func refusal(code int, text, token string) string {
	if token != "" {
		text = strings.ReplaceAll(text, token, "(token)")
	}
	message := fmt.Sprintf("HTTP %d", code)
	if said := strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " "); said != "" {
		message += ": " + said
	}
	return message
}

// retryAfter is the pause that an answer asks for, in seconds; 0 without.
func retryAfter(resp *http.Response) time.Duration {
	seconds, err := strconv.ParseInt(resp.Header.Get("Retry-After"), 10, 32)
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, maxPause)
}

// request is the POST with everything that the hook asks for, and the token that goes with it.
func (c *Caller) request(ctx context.Context, r Request, body []byte) (*http.Request, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.Hook.URL, bytes.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "serin")
	for name, value := range r.Hook.Headers {
		req.Header.Set(name, value)
		if http.CanonicalHeaderKey(name) == "Host" {
			req.Host = value
		}
	}
	req.Header.Set("Idempotency-Key", r.Key)
	token, err := c.token(req.URL, r.Secret)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req, token, err
}

// token is what the hook's Secret has under `token`, or the operator's own for a load tester that it
// was told of.
func (c *Caller) token(u *url.URL, secret map[string][]byte) (string, error) {
	if token := strings.TrimSpace(string(secret[keyToken])); token != "" {
		return token, nil
	}
	if c.TokenFile == "" || !c.trusted(u) {
		return "", nil
	}
	token, err := os.ReadFile(c.TokenFile)
	if err != nil {
		return "", fmt.Errorf("read the load tester token: %w", err)
	}
	return strings.TrimSpace(string(token)), nil
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
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %s did not answer in %s: %w", ErrUnreachable, host, h.TimeoutDuration(), context.DeadlineExceeded)
	}
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err
	}
	return fmt.Errorf("%w: %s: %w", ErrUnreachable, host, err)
}
