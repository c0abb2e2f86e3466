package metrics

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// What a batch asks in a second, and at once after a pause. It is the same for one rollout and for a
// thousand: more of them make longer requests, not more.
const (
	requestsPerSecond = 4
	requestsAtOnce    = 8
	// company is how long a question waits for others that are put in the same moment.
	company = 50 * time.Millisecond
	// together bounds the questions of one request.
	together = 200
)

// Batch asks a provider the questions of many canaries together: what comes while a request waits for
// its turn goes out with it. The number of requests depends on time alone.
type Batch struct {
	provider Bulk
	pace     *rate.Limiter
	queries  *batched[string, Result]

	mu sync.Mutex
	// samples are apart by their window, of which there are few: see widened.
	samples map[time.Duration]*batched[Selector, []Series]
}

// NewBatch returns what asks p at a pace of its own.
func NewBatch(p Bulk) *Batch {
	b := &Batch{provider: p, pace: rate.NewLimiter(requestsPerSecond, requestsAtOnce), samples: map[time.Duration]*batched[Selector, []Series]{}}
	b.queries = &batched[string, Result]{pace: b.pace, put: b.putQueries}
	return b
}

// Query answers as the provider's Query does, some moments later when many ask.
func (b *Batch) Query(ctx context.Context, query string) (Result, error) {
	return b.queries.join(ctx, query).wait(ctx)
}

// Samples puts a question and returns what waits for its answer: in each selector's place the samples of
// every series that it matches, oldest first. Some may be from before the window: others may have asked
// for more.
func (b *Batch) Samples(ctx context.Context, selectors []Selector, window time.Duration) func() ([][]Series, error) {
	asked := b.over(widened(window))
	var places []seat[Selector, []Series]
	for _, s := range selectors {
		places = append(places, asked.join(ctx, s))
	}
	return func() ([][]Series, error) {
		var out [][]Series
		for _, p := range places {
			found, err := p.wait(ctx)
			if err != nil {
				return nil, err
			}
			out = append(out, found)
		}
		return out, nil
	}
}

func (b *Batch) over(window time.Duration) *batched[Selector, []Series] {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.samples[window] == nil {
		b.samples[window] = &batched[Selector, []Series]{pace: b.pace, put: func(ctx context.Context, all []Selector) []reply[[]Series] {
			return b.putSamples(ctx, all, window)
		}}
	}
	return b.samples[window]
}

// widened makes windows alike that differ by less than four times, so that they can share a request.
func widened(window time.Duration) time.Duration {
	wide := 15 * time.Second
	for wide < window {
		wide *= 4
	}
	return wide
}

func (b *Batch) putQueries(ctx context.Context, queries []string) []reply[Result] {
	var out []reply[Result]
	for _, a := range b.provider.QueryAll(ctx, queries) {
		out = append(out, reply[Result]{value: a.Result, err: a.Err})
	}
	return out
}

func (b *Batch) putSamples(ctx context.Context, selectors []Selector, window time.Duration) []reply[[]Series] {
	found, err := b.provider.Samples(ctx, selectors, window)
	out := make([]reply[[]Series], len(selectors))
	for i := range out {
		if err != nil {
			out[i].err = err
			continue
		}
		out[i].value = found[i]
	}
	return out
}

// batched gathers questions of one kind.
type batched[Q, A any] struct {
	pace *rate.Limiter
	// put answers every question in its place.
	put func(context.Context, []Q) []reply[A]

	mu sync.Mutex
	// open is what the next request asks; nil while nothing waits.
	open *round[Q, A]
}

// round is what one request asks. Its replies are complete when done is closed.
type round[Q, A any] struct {
	questions []Q
	replies   []reply[A]
	done      chan struct{}
}

type reply[A any] struct {
	value A
	err   error
	// panicked is what the provider panicked with over this very question.
	panicked any
}

// seat is a question's place in a round.
type seat[Q, A any] struct {
	*round[Q, A]
	place int
}

// wait returns the answer, or panics with what the provider panicked with: it is of one asker's making.
func (s seat[Q, A]) wait(ctx context.Context) (A, error) {
	select {
	case <-s.done:
		r := s.replies[s.place]
		if r.panicked != nil {
			panic(r.panicked)
		}
		return r.value, r.err
	case <-ctx.Done():
		var none A
		return none, &Failure{Kind: ErrUnavailable, Reason: "the question was called off before an answer came"}
	}
}

func (b *batched[Q, A]) join(ctx context.Context, question Q) seat[Q, A] {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == nil || len(b.open.questions) == together {
		b.open = &round[Q, A]{done: make(chan struct{})}
		// Who asks first may leave, and the question is still that of others: the provider's own timeout
		// bounds it.
		go b.run(context.WithoutCancel(ctx), b.open)
	}
	b.open.questions = append(b.open.questions, question)
	return seat[Q, A]{b.open, len(b.open.questions) - 1}
}

// run waits for a round's turn and has it asked.
func (b *batched[Q, A]) run(ctx context.Context, r *round[Q, A]) {
	time.Sleep(company)
	_ = b.pace.Wait(ctx) // this context does not end
	b.mu.Lock()
	if b.open == r {
		b.open = nil
	}
	b.mu.Unlock()
	r.replies = b.rescued(ctx, r.questions)
	close(r.done)
}

// rescued puts the questions one by one where the provider panics over all of them: whose it was bears
// it alone.
func (b *batched[Q, A]) rescued(ctx context.Context, questions []Q) (replies []reply[A]) {
	defer func() {
		p := recover()
		switch {
		case p == nil:
		case len(questions) == 1:
			replies = []reply[A]{{panicked: p}}
		default:
			replies = nil
			for i := range questions {
				replies = append(replies, b.rescued(ctx, questions[i:i+1])...)
			}
		}
	}()
	return b.put(ctx, questions)
}
