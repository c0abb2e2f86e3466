// Package fake is a metrics provider that answers from memory, for the tests of what asks one.
package fake

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/serin-dev/serin/metrics"
)

// Provider answers what it was told to and remembers what it was asked. Every method may be called
// at any time from anywhere.
type Provider struct {
	mu      sync.Mutex
	now     func() time.Time
	values  map[string]float64
	errs    map[string]error
	series  map[metrics.Selector][]metrics.Series
	failure error
	queries []string
}

var (
	_ metrics.Provider = (*Provider)(nil)
	_ metrics.Bulk     = (*Provider)(nil)
)

// New is a provider that has no data about anything.
func New() *Provider {
	return &Provider{
		now:    time.Now,
		values: map[string]float64{},
		errs:   map[string]error{},
		series: map[metrics.Selector][]metrics.Series{},
	}
}

// Clock replaces the provider's clock, which dates values and ends windows.
func (p *Provider) Clock(now func() time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = now
}

// Set makes a query come to a value, and clears what SetError did to it. NaN and infinities are no
// data, as everywhere.
func (p *Provider) Set(query string, value float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.errs, query)
	p.values[query] = value
}

// SetError makes one query or selector fail.
func (p *Provider) SetError(query string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errs[query] = err
}

// SetSeries makes a selector match these series and no others.
func (p *Provider) SetSeries(selector metrics.Selector, series ...metrics.Series) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.series[selector] = series
}

// Fail makes everything fail until it is called with nil. An error without a kind is ErrUnavailable.
func (p *Provider) Fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failure = err
}

// Queries are the queries and selectors asked so far, in order.
func (p *Provider) Queries() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.queries)
}

// Query answers what Set said; anything else is no data.
func (p *Provider) Query(ctx context.Context, query string) (metrics.Result, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.ask(ctx, query); err != nil {
		return metrics.Result{}, err
	}
	v, ok := p.values[query]
	if !ok || math.IsNaN(v) || math.IsInf(v, 0) {
		return metrics.Result{}, failure(metrics.ErrNoData, "no finite value was set", query)
	}
	return metrics.Result{Value: v, At: p.now()}, nil
}

// QueryAll answers each as Query does.
func (p *Provider) QueryAll(ctx context.Context, queries []string) []metrics.Answer {
	return metrics.Each(ctx, p.Query, queries)
}

// Samples answers what SetSeries said, cut to the window.
func (p *Provider) Samples(ctx context.Context, selectors []metrics.Selector, window time.Duration) ([][]metrics.Series, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([][]metrics.Series, len(selectors))
	for i, selector := range selectors {
		if err := p.ask(ctx, selector.String()); err != nil {
			return nil, err
		}
		for _, s := range p.series[selector] {
			if s = s.After(p.now().Add(-window)); len(s.Samples) > 0 {
				out[i] = append(out[i], metrics.Series{Labels: s.Labels, Samples: slices.Clone(s.Samples)})
			}
		}
		slices.SortFunc(out[i], func(a, b metrics.Series) int { return cmp.Compare(a.Labels, b.Labels) })
	}
	return out, nil
}

func (p *Provider) ask(ctx context.Context, query string) error {
	p.queries = append(p.queries, query)
	if ctx.Err() != nil {
		return failure(metrics.ErrUnavailable, "the question was called off before an answer came", query)
	}
	return withKind(cmp.Or(p.failure, p.errs[query]), query)
}

// withKind keeps the contract for errors that a test made up.
func withKind(err error, query string) error {
	if err == nil {
		return nil
	}
	for _, kind := range []error{metrics.ErrNoData, metrics.ErrBadQuery, metrics.ErrUnavailable} {
		if errors.Is(err, kind) {
			return err
		}
	}
	return failure(metrics.ErrUnavailable, err.Error(), query)
}

func failure(kind error, reason, query string) error {
	return &metrics.Failure{Kind: kind, Reason: reason, Address: "memory", Query: query}
}
