package fake

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/serin-dev/serin/metrics"
)

// Steady is a provider with steady traffic behind it: whatever it was not told is a success rate, and
// request counters that say that the canary is drained as soon as it is asked.
type Steady struct {
	*Provider
	rate atomic.Uint64
}

// NewSteady is one whose requests succeed.
func NewSteady() *Steady {
	s := &Steady{Provider: New()}
	s.Succeed(99.8)
	return s
}

// Succeed sets the success rate, in percent.
func (s *Steady) Succeed(rate float64) { s.rate.Store(math.Float64bits(rate)) }

// Query answers with the success rate what is no data otherwise.
func (s *Steady) Query(ctx context.Context, query string) (metrics.Result, error) {
	r, err := s.Provider.Query(ctx, query)
	if errors.Is(err, metrics.ErrNoData) {
		return metrics.Result{Value: math.Float64frombits(s.rate.Load()), At: time.Now()}, nil
	}
	return r, err
}

// QueryAll answers each as Query does.
func (s *Steady) QueryAll(ctx context.Context, queries []string) []metrics.Answer {
	return metrics.Each(ctx, s.Query, queries)
}

// Samples has scrapes of the canary only: with nothing counted on the primary no share is known.
func (s *Steady) Samples(ctx context.Context, selectors []metrics.Selector, window time.Duration) ([][]metrics.Series, error) {
	found, err := s.Provider.Samples(ctx, selectors, window)
	if err != nil {
		return nil, err
	}
	for i, selector := range selectors {
		if len(found[i]) == 0 && !strings.Contains(selector.Pattern, "primary") {
			found[i] = []metrics.Series{scrapes(selector, window)}
		}
	}
	return found, nil
}

// scrapes show a counter that stands still, and no requests in flight.
func scrapes(selector metrics.Selector, window time.Duration) metrics.Series {
	value := 1000.0
	if strings.Contains(selector.Series, "active") {
		value = 0
	}
	series := metrics.Series{Labels: selector.String()}
	for at := window; at >= 0; at -= 200 * time.Millisecond {
		series.Samples = append(series.Samples, metrics.Sample{At: time.Now().Add(-at), Value: value})
	}
	return series
}
