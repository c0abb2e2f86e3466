package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"sync"

	"github.com/serin-dev/serin/e2e/slackd/event"
)

// faulty misbehaves in front of a handler as it was last told to.
type faulty struct {
	next http.Handler

	mu    sync.Mutex
	fault event.Fault
}

func (f *faulty) set(w http.ResponseWriter, r *http.Request) {
	var fault event.Fault
	if err := json.NewDecoder(r.Body).Decode(&fault); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

func (f *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	fault := f.fault
	f.mu.Unlock()
	switch {
	case fault.HangUp:
		panic(http.ErrAbortHandler) // how a handler ends a connection without an answer
	case fault.Hang:
		_, _ = io.Copy(io.Discard, r.Body) // only then the end of the connection is seen
		<-r.Context().Done()
	case fault.Status != 0:
		if fault.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(fault.RetryAfter))
		}
		w.WriteHeader(fault.Status)
	default:
		f.next.ServeHTTP(w, r)
	}
}
