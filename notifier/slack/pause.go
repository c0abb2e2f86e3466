package slack

import (
	"strconv"
	"sync"
	"time"
)

// defaultPause is kept when Slack asks for a pause and does not say how long.
const defaultPause = 30 * time.Second

// pause is the time that Slack asked for. Its limits are per method and channel; keeping all calls
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

// begin starts a pause as the header Retry-After says, in seconds, and returns its length. A shorter
// pause never cuts a longer one.
func (p *pause) begin(retryAfter string) time.Duration {
	after := defaultPause
	if s, err := strconv.Atoi(retryAfter); err == nil && s > 0 {
		after = time.Duration(s) * time.Second
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := p.now().Add(after); until.After(p.until) {
		p.until = until
	}
	return after
}
