// Package progress tells the person at the terminal what has just happened: one
// line a step, with the seconds since the start.
package progress

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Log writes the lines. Steps may be reported by several goroutines.
type Log struct {
	mu    sync.Mutex
	w     io.Writer
	now   func() time.Time
	start time.Time
}

// New returns a Log that starts to count now. Results go to standard output, so
// w is normally standard error.
func New(w io.Writer) *Log { return newLog(w, time.Now) }

func newLog(w io.Writer, now func() time.Time) *Log {
	return &Log{w: w, now: now, start: now()}
}

// Step says what has been done, or, for what takes long, what begins.
func (l *Log) Step(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// Nobody is left to be told that the terminal is gone.
	_, _ = fmt.Fprintf(l.w, "%7.1fs  %s\n", l.now().Sub(l.start).Seconds(), fmt.Sprintf(format, args...))
}
