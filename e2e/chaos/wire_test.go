package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// call is one thing that an operator asks of the world: of the API server, or of a sink.
type call struct {
	// verb is get, list, watch, create, update, patch, delete, discover, or tell for a message.
	verb string
	// what is the resource, with its subresource: canaries/status.
	what string
}

func (c call) String() string { return c.verb + " " + c.what }

// kind is what of the world a write changes; empty for a read.
func (c call) kind() string {
	switch {
	case c.verb == "tell":
		return "message"
	case slices.Contains([]string{"get", "list", "watch", "discover"}, c.verb):
		return ""
	case c.what == "events":
		return "event"
	case strings.HasSuffix(c.what, "/status"):
		return "status"
	default:
		return "object"
	}
}

var commit = call{"update", "canaries/status"}

func isWrite(c call) bool { return c.kind() != "" }

// toServer is what the API server is asked.
func toServer(c call) bool { return c.verb != "tell" }

func callOf(r *http.Request) call {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case parts[0] == "api" && len(parts) > 2:
		parts = parts[2:]
	case parts[0] == "apis" && len(parts) > 3:
		parts = parts[3:]
	default:
		return call{"discover", r.URL.Path}
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		parts = parts[2:]
	}
	c := call{what: parts[0]}
	if len(parts) > 2 {
		c.what += "/" + parts[2]
	}
	switch {
	case r.Method == http.MethodGet && r.URL.Query().Get("watch") != "":
		c.verb = "watch"
	case r.Method == http.MethodGet && len(parts) == 1:
		c.verb = "list"
	default:
		c.verb = map[string]string{http.MethodGet: "get", http.MethodPost: "create", http.MethodPut: "update",
			http.MethodPatch: "patch", http.MethodDelete: "delete"}[r.Method]
	}
	return c
}

// fate is what becomes of a call.
type fate string

const (
	passes fate = ""
	// The process ends, before the call is sent or before its answer is read.
	diesBefore fate = "dies before"
	diesAfter  fate = "dies after"
	// freezes stops the process in front of the call, which is sent when it wakes.
	freezes fate = "freezes"
	// The call comes back with this; what the last two did of it on the server is not known.
	conflicts fate = "409"
	throttled fate = "429"
	fails     fate = "500"
	timesOut  fate = "timeout" // it was carried out
	drops     fate = "dropped" // it never arrived
)

// trap lets something become of one call.
type trap struct {
	// counts says which calls are numbered, from 1; at is the number of the one that is met.
	counts func(call) bool
	at     int
	fate   fate
}

// wire is all that one process of an operator has to the world: its calls go through it or nowhere.
type wire struct {
	process int
	ledger  *ledger

	mu    sync.Mutex
	trap  trap
	n     int
	met   *call // by the trap
	calls []call
	last  time.Time
	// died is closed when the process is dead, frozen when it stands still and awake when it goes on.
	died, frozen, awake chan struct{}
}

func newWire(process int, l *ledger) *wire {
	return &wire{process: process, ledger: l, last: time.Now(),
		died: make(chan struct{}), frozen: make(chan struct{}), awake: make(chan struct{})}
}

var errDied = errors.New("the process is dead")

// arm sets a trap for the calls from now on.
func (w *wire) arm(t trap) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trap, w.n, w.calls = t, 0, nil
}

// sprung is the call that the trap has met; nil while it has not.
func (w *wire) sprung() *call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.met
}

func (w *wire) quietFor(d time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Since(w.last) >= d
}

// made are the calls since the trap was set.
func (w *wire) made() []call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls)
}

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// enter is the way out for a call: it comes back with what becomes of it once it is sent, or with an
// error where it is not sent.
func (w *wire) enter(ctx context.Context, c call) (fate, error) {
	w.mu.Lock()
	if closed(w.died) {
		w.mu.Unlock()
		return passes, errDied
	}
	if c.verb != "watch" {
		w.last = time.Now()
	}
	w.calls = append(w.calls, c)
	f := passes
	if w.met == nil && w.trap.counts != nil && w.trap.counts(c) {
		if w.n++; w.n == w.trap.at {
			f, w.met = w.trap.fate, &c
		}
	}
	if f == diesBefore {
		close(w.died)
	}
	if f == freezes {
		close(w.frozen)
	}
	w.mu.Unlock()
	if err := w.thaw(ctx); err != nil {
		return passes, err
	}
	if closed(w.died) {
		return passes, errDied
	}
	return f, nil
}

// thaw holds whatever a frozen process does until it wakes.
func (w *wire) thaw(ctx context.Context) error {
	if !closed(w.frozen) {
		return nil
	}
	select {
	case <-w.awake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wake lets a frozen process go on.
func (w *wire) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = time.Now()
	close(w.awake)
}

func (w *wire) die() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.died)
}

// on is the wire to the API server.
func (w *wire) on(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		c := callOf(r)
		f, err := w.enter(r.Context(), c)
		if err != nil {
			return nil, err
		}
		if code := answers[f]; code != 0 {
			return refusal(r, code), nil
		}
		if f == drops {
			return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
		}
		resp, err := next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		if c == commit && resp.StatusCode == http.StatusOK {
			w.ledger.committed(w.process)
		}
		switch f {
		case diesAfter:
			resp.Body.Close()
			w.die()
			return nil, errDied
		case timesOut:
			resp.Body.Close()
			return nil, fmt.Errorf("net/http: %w", context.DeadlineExceeded)
		default:
			resp.Body = &stream{resp.Body, w, r.Context()}
			return resp, nil
		}
	})
}

// stream of answers; a frozen process reads none.
type stream struct {
	io.ReadCloser
	wire *wire
	ctx  context.Context
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if thawed := s.wire.thaw(s.ctx); thawed != nil {
		return 0, thawed
	}
	return n, err
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answers that the API server gives in place of what was asked for.
var answers = map[fate]int{conflicts: http.StatusConflict, throttled: http.StatusTooManyRequests, fails: http.StatusInternalServerError}

// refusal is an answer as the API server gives it. One that throttles says when to come again.
func refusal(r *http.Request, code int) *http.Response {
	reasons := map[int]metav1.StatusReason{http.StatusConflict: metav1.StatusReasonConflict,
		http.StatusTooManyRequests: metav1.StatusReasonTooManyRequests, http.StatusInternalServerError: metav1.StatusReasonInternalError}
	body, err := json.Marshal(metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status: metav1.StatusFailure, Code: int32(code), Reason: reasons[code], Message: "chaos: " + http.StatusText(code)})
	if err != nil { // a status always encodes
		panic(err)
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if code == http.StatusTooManyRequests {
		header.Set("Retry-After", "1")
	}
	return &http.Response{StatusCode: code, Status: http.StatusText(code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r}
}
