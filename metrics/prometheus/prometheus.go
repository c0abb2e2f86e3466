package prometheus

import (
	"context"
	"errors"
	"strings"
	"time"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/serin-dev/serin/metrics"
)

// Provider is safe for concurrent use. It keeps connections open between questions: build one per
// configuration and keep it.
type Provider struct {
	api     v1.API
	address string
	timeout time.Duration
	// secrets blots out what a server may echo of what it was sent.
	secrets *strings.Replacer
}

var (
	_ metrics.Provider = (*Provider)(nil)
	_ metrics.Bulk     = (*Provider)(nil)
	_ metrics.Factory  = New
)

// Query asks for the value now, by the server's clock. The answer is to be one number: a scalar or
// one series. More than one is a bad query, since picking any of them would be a guess.
func (p *Provider) Query(ctx context.Context, query string) (metrics.Result, error) {
	v, err := p.ask(ctx, query)
	if err != nil {
		return metrics.Result{}, p.failure(query, err)
	}
	r, err := number(v)
	if err != nil {
		return metrics.Result{}, p.failure(query, err)
	}
	return r, nil
}

// ask leaves the time out of the question, so that a server whose clock differs from the operator's
// is not asked about its future.
func (p *Provider) ask(ctx context.Context, query string) (model.Value, error) {
	within, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	v, warnings, _, err := p.api.Query(within, query, time.Time{})
	if err != nil {
		return nil, p.diagnose(ctx, err)
	}
	return v, partial(warnings)
}

// failure completes an error with what was asked where.
func (p *Provider) failure(query string, err error) error {
	f := metrics.Failure{Kind: metrics.ErrUnavailable, Reason: err.Error()}
	if known := (*metrics.Failure)(nil); errors.As(err, &known) {
		f = *known // one error may be that of several queries
	}
	f.Reason, f.Address, f.Query = p.secrets.Replace(f.Reason), p.address, query
	return &f
}
