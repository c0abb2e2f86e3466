package canary

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/metrics"
	"github.com/serin-dev/serin/pkg/analysis"
	"github.com/serin-dev/serin/pkg/rollout"
	"github.com/serin-dev/serin/router"
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
	if builtinQuery(in) != "" {
		return r.measureBuiltin(ctx, in)
	}
	p, query, err := r.providers.of(ctx, r, in)
	if err != nil {
		return failure(err)
	}
	result, err := p.Query(ctx, query)
	return r.measured(result, err)
}

// measureBuiltin asks for a built-in value and, in the same moment, for the requests that it stands on;
// those are 0 where they cannot be counted.
func (r *Reconciler) measureBuiltin(ctx context.Context, in inquiry) analysis.Measurement {
	batch, query, err := r.providers.builtinOf(r, in)
	if err != nil {
		return failure(err)
	}
	counter := in.telemetry.CanaryRequests
	if in.Primary {
		counter = in.telemetry.PrimaryRequests
	}
	samples := batch.Samples(ctx, counters(counter), in.Window)
	result, err := batch.Query(ctx, query)
	m := r.measured(result, err)
	found, err := samples()
	if m.Evidence != analysis.Measured || err != nil {
		return m
	}
	var within []metrics.Series
	for _, series := range slices.Concat(found...) {
		within = append(within, series.After(result.At.Add(-in.Window)).Until(result.At))
	}
	m.Requests, _ = increase(within, time.Time{})
	return m
}

// counters are those that the proxy has.
func counters(all ...router.Selector) (out []metrics.Selector) {
	for _, c := range all {
		if c != (router.Selector{}) {
			out = append(out, metrics.Selector(c))
		}
	}
	return out
}

func (r *Reconciler) measured(result metrics.Result, err error) analysis.Measurement {
	m := analysis.Measurement{Evidence: analysis.Measured, Value: result.Value}
	if err != nil {
		m = failure(err)
	}
	r.Telemetry.Queried(m.Evidence)
	return m
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
	found, err := r.samples(ctx, in, in.telemetry.PrimaryRequests, in.telemetry.CanaryRequests)
	if err != nil {
		return analysis.Counts{Message: err.Error()}
	}
	primary, canary := found[0], found[1]
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
	found, err := r.samples(ctx, in, in.telemetry.CanaryRequests, in.telemetry.CanaryActive)
	if err != nil {
		return analysis.Traffic{Message: err.Error()}
	}
	n, ok := increase(found[0], in.Since)
	if !ok {
		return analysis.Traffic{Message: "fewer than two samples of the request counter since the shift"}
	}
	t := analysis.Traffic{Known: true, New: n}
	counting, _ := latest(found[0], in.Since)
	showing, active := latest(slices.Concat(found[1:]...), in.Since)
	t.ActiveKnown, t.Active = showing >= counting, int64(active)
	return t
}

// latest sums the newest values of the series that have a sample since t, and says how many have.
func latest(all []metrics.Series, t time.Time) (n int, sum float64) {
	for _, s := range all {
		if now := s.After(t).Samples; len(now) > 0 {
			n++
			sum += now[len(now)-1].Value
		}
	}
	return n, sum
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

// samples asks for the counters that the proxy has, of which the first is one, each in its place. Some
// are from before the window.
func (r *Reconciler) samples(ctx context.Context, in inquiry, all ...router.Selector) ([][]metrics.Series, error) {
	if all[0] == (router.Selector{}) {
		return nil, errors.New("the router has no request counters")
	}
	batch, err := r.providers.builtin(r.metricsServer(in.canary))
	if err != nil {
		return nil, err
	}
	return batch.Samples(ctx, counters(all...), in.Window)()
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
