package canary_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/serin-dev/serin/metrics"
	"github.com/serin-dev/serin/metrics/fake"
)

// prometheus is the provider in memory with steady traffic behind it: a success rate, and request
// counters that say that the canary is drained as soon as it is asked.
type prometheus struct {
	*fake.Provider
	rate atomic.Uint64
	// asked is told of each query before it is answered; nil for nobody.
	asked func(query string)
}

func newPrometheus() *prometheus {
	p := &prometheus{Provider: fake.New()}
	p.succeed(99.8)
	return p
}

// succeed sets the success rate, in percent.
func (p *prometheus) succeed(rate float64) { p.rate.Store(math.Float64bits(rate)) }

func (p *prometheus) Query(ctx context.Context, query string) (metrics.Result, error) {
	if p.asked != nil {
		p.asked(query)
	}
	r, err := p.Provider.Query(ctx, query)
	if errors.Is(err, metrics.ErrNoData) {
		return metrics.Result{Value: math.Float64frombits(p.rate.Load()), At: time.Now()}, nil
	}
	return r, err
}

// Samples has scrapes of the canary only: with nothing counted on the primary no share is known.
func (p *prometheus) Samples(ctx context.Context, selector string, window time.Duration) ([]metrics.Series, error) {
	if s, err := p.Provider.Samples(ctx, selector, window); err != nil || len(s) > 0 || strings.Contains(selector, "primary") {
		return s, err
	}
	value := 1000.0
	if strings.Contains(selector, "active") {
		value = 0
	}
	s := metrics.Series{Labels: selector}
	for at := window; at >= 0; at -= 200 * time.Millisecond {
		s.Samples = append(s.Samples, metrics.Sample{At: time.Now().Add(-at), Value: value})
	}
	return []metrics.Series{s}, nil
}
