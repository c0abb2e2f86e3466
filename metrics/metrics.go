// Package metrics is the contract between an analysis and whatever measures a revision. An
// implementation is one package below this one and one line in cmd/serin; metricstest holds the
// suite that all of them pass. It judges nothing: thresholds are pkg/analysis's.
package metrics

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/serin-dev/serin/pkg/dial"
)

// Result is the one number that a query came to.
type Result struct {
	// Value is finite: NaN and infinities are no data.
	Value float64
	// At is when the value was sampled, by the provider's clock.
	At time.Time
}

// Provider answers queries. Each error wraps exactly one of ErrNoData, ErrBadQuery and
// ErrUnavailable, and reads as a sentence for the user: what was asked, where, what came back.
// Implementations are safe for concurrent use and honour the context's deadline.
type Provider interface {
	Query(ctx context.Context, query string) (Result, error)
}

// Answer is what one of several queries came to.
type Answer struct {
	Result
	Err error
}

// Bulk is a provider that answers many questions in one request, and shows the raw samples behind
// selectors. Counts of requests come from those: differences of raw counters are exact where a rate is
// extrapolated. The built-in checks of canaries are asked of one.
type Bulk interface {
	Provider
	// QueryAll answers each query as Query does, in its place.
	QueryAll(ctx context.Context, queries []string) []Answer
	// Samples returns, in each selector's place, the samples of the last window of every series that it
	// matches, oldest first. No matching series is an empty answer, not an error.
	Samples(ctx context.Context, selectors []Selector, window time.Duration) ([][]Series, error)
}

// Each asks one query after the other, where a provider cannot be asked for all at once.
func Each(ctx context.Context, query func(context.Context, string) (Result, error), queries []string) []Answer {
	var out []Answer
	for _, q := range queries {
		r, err := query(ctx, q)
		out = append(out, Answer{Result: r, Err: err})
	}
	return out
}

// Selector names what a proxy counts of one thing: the series whose label matches a regular expression
// as a whole. The zero value selects nothing.
type Selector struct{ Series, Label, Pattern string }

// String is the selector in PromQL.
func (s Selector) String() string {
	if s == (Selector{}) {
		return ""
	}
	return fmt.Sprintf("%s{%s=~%q}", s.Series, s.Label, s.Pattern)
}

// Series is one time series; Samples are oldest first.
type Series struct {
	// Labels identify the series among those of one answer.
	Labels  string
	Samples []Sample
}

// Sample is one scrape of one series.
type Sample struct {
	At    time.Time
	Value float64
}

// Increase is how much a counter grew from its first sample to its last, across resets. It is false
// with fewer than two samples: one scrape tells nothing about a difference.
func (s Series) Increase() (float64, bool) {
	if len(s.Samples) < 2 {
		return 0, false
	}
	sum := 0.0
	for i := 1; i < len(s.Samples); i++ {
		d := s.Samples[i].Value - s.Samples[i-1].Value
		if d < 0 { // the counter was reset: what it shows has grown since then
			d = s.Samples[i].Value
		}
		sum += d
	}
	return sum, true
}

// After drops the samples taken before t.
func (s Series) After(t time.Time) Series {
	for i, p := range s.Samples {
		if !p.At.Before(t) {
			return Series{Labels: s.Labels, Samples: s.Samples[i:]}
		}
	}
	return Series{Labels: s.Labels}
}

// Until drops the samples taken after t.
func (s Series) Until(t time.Time) Series {
	for i, p := range s.Samples {
		if p.At.After(t) {
			return Series{Labels: s.Labels, Samples: s.Samples[:i]}
		}
	}
	return s
}

var (
	// ErrNoData means that the query is fine and there is nothing to judge: no series, or NaN.
	ErrNoData = errors.New("no data")
	// ErrBadQuery means that asking again cannot help: a syntax error, more than one series, a range.
	ErrBadQuery = errors.New("bad query")
	// ErrUnavailable means that the provider could not be asked: refused, timed out, 5xx, unauthorised.
	ErrUnavailable = errors.New("provider unavailable")
)

// Config is everything a provider is built from, secrets resolved.
type Config struct {
	// Address is a URL.
	Address string
	// Headers are added to each request.
	Headers map[string][]string
	// Secret holds the keys of the template's secretRef: which ones count is the provider's to say.
	Secret map[string][]byte
	// InsecureSkipVerify trusts any certificate.
	InsecureSkipVerify bool
	// Region is a cloud provider's.
	Region string
	// Timeout of one request; 0 means DefaultTimeout.
	Timeout time.Duration
	// Guard makes the transport of all requests to Address. A cloud's own client for credentials knows
	// its address by itself and needs none.
	Guard *dial.Guard `json:"-"`
}

// DefaultTimeout bounds one request to a provider.
const DefaultTimeout = 5 * time.Second

// Factory validates the configuration and builds a provider without calling it.
type Factory func(Config) (Provider, error)
