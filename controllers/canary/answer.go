package canary

import (
	"context"
	"errors"
	"math"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/metrics"
	"github.com/serin-dev/serin/pkg/analysis"
	"github.com/serin-dev/serin/pkg/rollout"
)

// answer puts one question. What goes wrong is an answer too.
func (r *Reconciler) answer(ctx context.Context, in inquiry) rollout.Answer {
	switch in.Kind {
	case rollout.AskMetric:
		return rollout.Answer{Measurement: r.measure(ctx, in)}
	case rollout.AskHook:
		return rollout.Answer{Measurement: r.callHook(ctx, in)}
	case rollout.AskShare:
		return rollout.Answer{Counts: r.countShare(ctx, in)}
	case rollout.AskImages:
		return rollout.Answer{Images: r.compareImages(ctx, in)}
	default:
		return rollout.Answer{Traffic: r.countTraffic(ctx, in)}
	}
}

// unanswered is the answer to a question of any kind that could not be put.
func unanswered(err error) rollout.Answer {
	return rollout.Answer{Measurement: failure(err), Counts: analysis.Counts{Message: err.Error()},
		Traffic: analysis.Traffic{Message: err.Error()}, Images: rollout.Images{Message: err.Error()}}
}

func (r *Reconciler) measure(ctx context.Context, in inquiry) analysis.Measurement {
	p, query, err := r.providers.of(ctx, r, in, *in.Metric)
	if err != nil {
		return failure(err)
	}
	result, err := p.Query(ctx, query)
	m := analysis.Measurement{Evidence: analysis.Measured, Value: result.Value}
	if err != nil {
		m = failure(err)
	}
	r.Telemetry.Queried(m.Evidence)
	if err != nil {
		return m
	}
	if in.Metric.Name == v1beta1.MetricSuccessRate || in.Metric.Name == v1beta1.MetricDuration {
		m.Requests = requestsIn(ctx, p, in)
	}
	return m
}

// requestsIn counts the requests that a built-in value stands on; 0 where the provider cannot.
func requestsIn(ctx context.Context, p metrics.Provider, in inquiry) int64 {
	s, ok := p.(metrics.Sampler)
	counter := in.telemetry.CanaryRequests
	if in.Primary {
		counter = in.telemetry.PrimaryRequests
	}
	if !ok || counter == "" {
		return 0
	}
	series, err := s.Samples(ctx, counter, in.Window)
	if err != nil {
		return 0
	}
	n, _ := increase(series, time.Time{})
	return n
}

func failure(err error) analysis.Measurement {
	m := analysis.Measurement{Evidence: analysis.Unavailable, Message: err.Error()}
	switch {
	case errors.Is(err, metrics.ErrNoData):
		m.Evidence = analysis.NoData
	case errors.Is(err, metrics.ErrBadQuery):
		m.Evidence = analysis.BadQuery
	}
	return m
}

func (r *Reconciler) callHook(ctx context.Context, in inquiry) analysis.Measurement {
	reply, err := r.hooks.call(ctx, in.canary, *in.Hook, payload(in.canary, *in.Hook), in.Key)
	switch {
	case err != nil:
		return analysis.Measurement{Evidence: analysis.Unavailable, Message: err.Error()}
	case !reply.Passed:
		return analysis.Measurement{Evidence: analysis.Measured, Value: 0, Message: reply.Message}
	}
	return analysis.Measurement{Evidence: analysis.Measured, Value: 1}
}

// countShare counts the requests of each side since the weight can be in force.
func (r *Reconciler) countShare(ctx context.Context, in inquiry) analysis.Counts {
	s, err := r.sampler(in)
	if err != nil {
		return analysis.Counts{Message: err.Error()}
	}
	primary, err := s.Samples(ctx, in.telemetry.PrimaryRequests, in.Window)
	if err != nil {
		return analysis.Counts{Message: err.Error()}
	}
	canary, err := s.Samples(ctx, in.telemetry.CanaryRequests, in.Window)
	if err != nil {
		return analysis.Counts{Message: err.Error()}
	}
	p, okP := increase(primary, in.Since)
	c, okC := increase(canary, in.Since)
	if !okP || !okC {
		return analysis.Counts{Soon: len(primary) > 0 && len(canary) > 0,
			Message: "fewer than two samples of the request counters since the weight was set"}
	}
	return analysis.Counts{Primary: p, Canary: c, Known: true}
}

// countTraffic counts what still reaches the canary.
func (r *Reconciler) countTraffic(ctx context.Context, in inquiry) analysis.Traffic {
	s, err := r.sampler(in)
	if err != nil {
		return analysis.Traffic{Message: err.Error()}
	}
	requests, err := s.Samples(ctx, in.telemetry.CanaryRequests, in.Window)
	if err != nil {
		return analysis.Traffic{Message: err.Error()}
	}
	n, ok := increase(requests, in.Since)
	if !ok {
		return analysis.Traffic{Message: "fewer than two samples of the request counter since the shift"}
	}
	t := analysis.Traffic{Known: true, New: n}
	if in.telemetry.CanaryActive == "" {
		return t
	}
	active, err := s.Samples(ctx, in.telemetry.CanaryActive, in.Window)
	if err != nil {
		return analysis.Traffic{Message: err.Error()}
	}
	for _, series := range active {
		if n := len(series.Samples); n > 0 {
			t.Active += int64(series.Samples[n-1].Value)
		}
	}
	return t
}

// increase sums what counters grew by since t. It is false when no series has two samples since
// then: every proxy that still reports must have been seen twice.
func increase(all []metrics.Series, t time.Time) (int64, bool) {
	sum, known := 0.0, false
	for _, s := range all {
		s = s.After(t)
		d, ok := s.Increase()
		if !ok && len(s.Samples) > 0 {
			return 0, false // a proxy that reports was seen only once
		}
		known = known || ok
		sum += d
	}
	return int64(math.Round(sum)), known
}

// sampler is the Prometheus of the canary, by which requests are counted.
func (r *Reconciler) sampler(in inquiry) (metrics.Sampler, error) {
	if in.telemetry.CanaryRequests == "" {
		return nil, errors.New("the router has no request counters")
	}
	p, err := r.providers.builtin(r.metricsServer(in.canary))
	if err != nil {
		return nil, err
	}
	s, ok := p.(metrics.Sampler)
	if !ok {
		return nil, errors.New("the metrics server shows no raw samples")
	}
	return s, nil
}

func (r *Reconciler) metricsServer(c *v1beta1.Canary) string {
	if c.Spec.MetricsServer != "" {
		return c.Spec.MetricsServer
	}
	return r.MetricsServer
}

func templateKey(c *v1beta1.Canary, m v1beta1.CanaryMetric) client.ObjectKey {
	key := client.ObjectKey{Namespace: m.TemplateRef.Namespace, Name: m.TemplateRef.Name}
	if key.Namespace == "" {
		key.Namespace = c.Namespace
	}
	return key
}
