// Package load makes load: programs with the flags of hey, ghz and grpc_health_probe, as far as
// manifests use them. It answers no webhook; a load tester's tasks run it as programs.
package load

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Exit codes of the load generators.
const (
	// exitUnanswered says that nothing was learned about the target: not one request was answered.
	exitUnanswered = 1
	// exitUsage says that nothing was sent.
	exitUsage = 2
)

// breather keeps a worker from asking in a hot loop where nobody answers.
const breather = 10 * time.Millisecond

// plan is how much load there is to be.
type plan struct {
	workers  int           // each waits for its answer before it sends again
	requests int64         // of all workers; 0: as many as the time allows
	duration time.Duration // 0: until all requests are sent
	rate     float64       // requests a second of all workers; 0: as fast as answers come
}

func (p plan) check() error {
	switch {
	case p.workers < 1:
		return fmt.Errorf("-c %d: load needs at least one worker", p.workers)
	case p.requests < 0 || p.duration < 0 || p.rate < 0:
		return errors.New("-n, -z and the rate cannot be negative")
	case p.requests == 0 && p.duration == 0:
		return errors.New("how long? -z or -n says")
	}
	return nil
}

// answer is what came of one request.
type answer struct {
	status string // in the protocol's words; none when there was no answer
	bytes  int64
	err    error
	// reached says that the target itself has answered, with whatever status.
	reached bool
}

// shot sends request n, which counts from 0, and waits for its answer.
type shot func(ctx context.Context, n int64) answer

// run returns when the last answer is there. It starts no request after ctx has ended or the time
// is over, but waits for those that are under way: a request that is cut off would count as an error
// of the canary's in the proxy's statistics.
func (p plan) run(ctx context.Context, fire shot) *report {
	starting := ctx
	if p.duration > 0 {
		var cancel context.CancelFunc
		starting, cancel = context.WithTimeout(ctx, p.duration)
		defer cancel()
	}
	limiter := rate.NewLimiter(rate.Inf, 1)
	if p.rate > 0 {
		// A burst of one: what a stall has held up is not made up for.
		limiter.SetLimit(rate.Limit(p.rate))
	}
	rep := newReport()
	var fired atomic.Int64
	var workers sync.WaitGroup
	for range p.workers {
		workers.Go(func() {
			for limiter.Wait(starting) == nil {
				n := fired.Add(1) - 1
				if p.requests > 0 && n >= p.requests {
					return
				}
				begin := time.Now()
				got := fire(context.WithoutCancel(ctx), n)
				rep.add(got, time.Since(begin))
				if !got.reached {
					pause(starting, breather)
				}
			}
		})
	}
	workers.Wait()
	rep.finish()
	return rep
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
