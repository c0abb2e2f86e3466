// Package stream sends HTTP requests at a constant rate, whatever becomes of those before: a slow
// server does not slow it down, so nothing that users would have sent goes unsent. Every second request
// opens a connection of its own, the others use kept ones.
package stream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// timeout is how long an answer may take before its request counts as failed.
const timeout = 10 * time.Second

// maxFailures bounds what is kept of failures.
const maxFailures = 50

// Protocols of a stream, without TLS unless the URL says https; GRPC never has it.
const (
	HTTP1 = ""
	HTTP2 = "http2"
	// GRPC asks podinfo's version service, whatever the URL's path.
	GRPC = "grpc"
)

// Spec is what a stream sends.
type Spec struct {
	URL string `json:"url"`
	// Protocol is HTTP1, HTTP2 or GRPC.
	Protocol string `json:"protocol,omitempty"`
	// Host of the requests, where it is not the URL's.
	Host string `json:"host,omitempty"`
	// Headers of each request.
	Headers map[string]string `json:"headers,omitempty"`
	// Rate is the number of requests per second.
	Rate int `json:"rate"`
	// Expect is the HTTP status that is no failure: for a stream that asks the application for errors it
	// is the error asked for, so that a failure is always one that nobody asked for.
	Expect int `json:"expect"`
}

// Check says what is wrong with the spec.
func (s Spec) Check() error {
	if s.Rate < 1 || s.Rate > 10000 {
		return fmt.Errorf("rate %d is not between 1 and 10000 requests per second", s.Rate)
	}
	if s.Expect < 100 || s.Expect > 599 {
		return fmt.Errorf("expected status %d is no HTTP status", s.Expect)
	}
	if !slices.Contains([]string{HTTP1, HTTP2, GRPC}, s.Protocol) {
		return fmt.Errorf("protocol %q is none of http2 and grpc, nor left out", s.Protocol)
	}
	if _, err := http.NewRequest(http.MethodGet, s.URL, nil); err != nil || s.URL == "" {
		return errors.Join(fmt.Errorf("URL %q cannot be asked for", s.URL), err)
	}
	return nil
}

// Stream is a stream under way.
type Stream struct {
	spec    Spec
	askers  [2]asker
	started time.Time
	stop    context.CancelFunc
	stopped chan struct{}

	mu       sync.Mutex
	pending  int
	seconds  []Second
	failures []Failure
}

// Start begins to send.
func Start(spec Spec) *Stream {
	ctx, stop := context.WithCancel(context.Background())
	s := &Stream{
		spec: spec, askers: askers(spec), started: time.Now(), stop: stop, stopped: make(chan struct{}),
	}
	go s.run(ctx)
	return s
}

// asker sends one request and reads its answer to the end.
type asker func() answer

// askers use kept connections, and one for each request.
func askers(spec Spec) [2]asker {
	if spec.Protocol == GRPC {
		return overGRPC(spec)
	}
	return overHTTP(spec)
}

// Stop ends the sending, waits for the answers still to come, and reports.
func (s *Stream) Stop() Report {
	until := time.Now()
	s.stop()
	<-s.stopped
	r := s.Report(0)
	r.Until = until
	return r
}

// run keeps to the schedule: what it is late with, it sends at once.
func (s *Stream) run(ctx context.Context) {
	defer close(s.stopped)
	var requests sync.WaitGroup
	defer requests.Wait()
	pace := time.Second / time.Duration(s.spec.Rate)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		ask := s.askers[n%len(s.askers)]
		requests.Go(func() { s.one(ask) })
		timer.Reset(time.Until(s.started.Add(time.Duration(n+1) * pace)))
	}
}

func (s *Stream) one(ask asker) {
	at := time.Now()
	s.sent(at)
	a := ask()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending--
	second := s.second(at)
	second.Repeated += a.repeated
	for _, c := range a.cookies {
		if second.Cookies == nil {
			second.Cookies = map[string]int{}
		}
		second.Cookies[c]++
	}
	if a.version != "" {
		second.Versions[a.version]++
	}
	if a.failure == "" {
		return
	}
	second.Failed++
	if len(s.failures) < maxFailures {
		s.failures = append(s.failures, Failure{At: at, What: a.failure})
	}
}

func (s *Stream) sent(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending++
	s.second(at).Sent++
}

// second returns the count for a time; the newest are at the end, where the search begins.
func (s *Stream) second(at time.Time) *Second {
	for i := len(s.seconds) - 1; i >= 0 && s.seconds[i].At >= at.Unix(); i-- {
		if s.seconds[i].At == at.Unix() {
			return &s.seconds[i]
		}
	}
	s.seconds = append(s.seconds, Second{At: at.Unix(), Count: Count{Versions: map[string]int{}}})
	return &s.seconds[len(s.seconds)-1]
}

// Report tells of the stream so far, with the seconds from the given Unix time on.
func (s *Stream) Report(from int64) Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := Report{
		Spec: s.spec, Started: s.started, Until: time.Now(), Pending: s.pending, Failures: append([]Failure(nil), s.failures...),
	}
	for _, second := range s.seconds {
		r.Total.Add(second.Count)
		if second.At >= from {
			copied := Second{At: second.At}
			copied.Add(second.Count)
			r.Seconds = append(r.Seconds, copied)
		}
	}
	return r
}
