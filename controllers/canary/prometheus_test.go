package canary_test

import (
	"context"

	"github.com/serin-dev/serin/metrics"
	"github.com/serin-dev/serin/metrics/fake"
)

// prometheus is the provider in memory with steady traffic behind it.
type prometheus struct {
	*fake.Steady
	// asked is told of each query before it is answered; nil for nobody.
	asked func(query string)
}

func newPrometheus() *prometheus { return &prometheus{Steady: fake.NewSteady()} }

// succeed sets the success rate, in percent.
func (p *prometheus) succeed(rate float64) { p.Succeed(rate) }

func (p *prometheus) Query(ctx context.Context, query string) (metrics.Result, error) {
	if p.asked != nil {
		p.asked(query)
	}
	return p.Steady.Query(ctx, query)
}

// QueryAll is told apart for asked.
func (p *prometheus) QueryAll(ctx context.Context, queries []string) []metrics.Answer {
	return metrics.Each(ctx, p.Query, queries)
}
