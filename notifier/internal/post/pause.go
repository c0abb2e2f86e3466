package post

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	// DefaultPause is kept when a service asks for a pause and does not say how long.
	DefaultPause = 30 * time.Second
	// maxPause is the longest that is believed: what a service says in error must not silence it for good.
	maxPause = time.Hour
)

// pause is the time that a service asked for. Limits may be per method or channel; keeping all calls
// back is the stricter reading and needs no knowledge of them.
type pause struct {
	now   func() time.Time
	mu    sync.Mutex
	until time.Time
}

// left is how much of the pause is to come.
func (p *pause) left() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.until.Sub(p.now())
}

// begin starts a pause as an answer says and returns its length. A shorter pause never cuts a longer
// one.
func (p *pause) begin(retryAfter string, answer []byte) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	after := max(fromHeader(retryAfter, now), fromBody(answer))
	if after <= 0 {
		after = DefaultPause
	}
	after = min(after, maxPause)
	if until := now.Add(after); until.After(p.until) {
		p.until = until
	}
	return after
}

// fromHeader reads seconds or a date (RFC 9110, 10.2.3).
func fromHeader(retryAfter string, now time.Time) time.Duration {
	if s, err := strconv.ParseFloat(retryAfter, 64); err == nil {
		return seconds(s)
	}
	if date, err := http.ParseTime(retryAfter); err == nil {
		return date.Sub(now)
	}
	return 0
}

// fromBody reads what Discord says: its header may be rounded down.
func fromBody(answer []byte) time.Duration {
	var said struct {
		RetryAfter float64 `json:"retry_after"`
	}
	if json.Unmarshal(answer, &said) != nil {
		return 0
	}
	return seconds(said.RetryAfter)
}

// seconds beyond what is believed would overflow.
func seconds(s float64) time.Duration {
	return time.Duration(min(s, maxPause.Seconds()) * float64(time.Second))
}
