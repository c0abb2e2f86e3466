package canary

import (
	"context"
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/metrics"
	"github.com/serin-dev/serin/pkg/dial"
)

// providerPrometheus answers the built-in checks and inline queries.
const providerPrometheus = "prometheus"

// providers builds metric providers and keeps them by their configuration, so that connections are
// used again. Secrets are read by name when a rollout needs them, and never listed.
type providers struct {
	registry *metrics.Registry
	secrets  client.Reader
	guard    *dial.Guard
	kept     *kept[metrics.Provider]
	batches  *kept[*metrics.Batch]
}

// of finds what answers a metric of the user's and renders its query over the question's window.
func (p *providers) of(ctx context.Context, r *Reconciler, in inquiry) (provider metrics.Provider, query string, err error) {
	c, m := in.canary, *in.Metric
	switch {
	case m.TemplateRef != nil:
		provider, query, err = p.template(ctx, r.client, templateKey(c, m))
	case m.Query != "":
		query = m.Query
		provider, err = p.build(providerPrometheus, metrics.Config{Address: r.metricsServer(c)})
	default:
		err = fmt.Errorf("%w: metric %s is neither built in nor has a query or a templateRef", metrics.ErrBadQuery, m.Name)
	}
	if err != nil {
		return nil, "", err
	}
	query, err = metrics.Render(query, variables(in))
	// A query written where the target itself is analysed names the primary as {{ target }}-primary.
	return provider, strings.ReplaceAll(query, c.CanaryName()+"-"+v1beta1.RolePrimary, c.PrimaryName()), err
}

// builtinOf finds what answers a built-in metric and renders its query over the question's window.
func (p *providers) builtinOf(r *Reconciler, in inquiry) (*metrics.Batch, string, error) {
	batch, err := p.builtin(r.metricsServer(in.canary))
	if err != nil {
		return nil, "", err
	}
	query, err := metrics.Render(builtinQuery(in), variables(in))
	return batch, query, err
}

func variables(in inquiry) metrics.Vars {
	c := in.canary
	vars := metrics.Vars{
		Name: c.Name, Namespace: c.Namespace, Target: c.CanaryName(), Service: c.ApexName(),
		Interval: in.Window, Variables: in.Metric.TemplateVariables,
	}
	if in.Primary {
		vars.Target = c.PrimaryName()
	}
	if c.Spec.IngressRef != nil {
		vars.Ingress = c.Spec.IngressRef.Name
	}
	if c.Spec.RouteRef != nil {
		vars.Route = c.Spec.RouteRef.Name
	}
	return vars
}

// builtinQuery is empty for a metric of the user's.
func builtinQuery(in inquiry) string {
	m := in.Metric
	if m.TemplateRef != nil || m.Query != "" {
		return ""
	}
	switch {
	case m.Name == v1beta1.MetricSuccessRate && in.Primary:
		return in.telemetry.PrimarySuccessRate
	case m.Name == v1beta1.MetricSuccessRate:
		return in.telemetry.SuccessRate
	case m.Name == v1beta1.MetricDuration && in.Primary:
		return in.telemetry.PrimaryLatency
	case m.Name == v1beta1.MetricDuration:
		return in.telemetry.Latency
	}
	return ""
}

// builtin asks one Prometheus for all canaries that name it.
func (p *providers) builtin(address string) (*metrics.Batch, error) {
	return p.batches.get(providerPrometheus, address, func() (*metrics.Batch, error) {
		built, err := p.build(providerPrometheus, metrics.Config{Address: address})
		if err != nil {
			return nil, err
		}
		bulk, ok := built.(metrics.Bulk)
		if !ok {
			return nil, fmt.Errorf("%w: the provider %s does not answer for many at once", metrics.ErrBadQuery, providerPrometheus)
		}
		return metrics.NewBatch(bulk), nil
	})
}

func (p *providers) template(ctx context.Context, c client.Reader, key client.ObjectKey) (metrics.Provider, string, error) {
	var t v1beta1.MetricTemplate
	if err := c.Get(ctx, key, &t); err != nil {
		return nil, "", fmt.Errorf("%w: read MetricTemplate %s: %w", metrics.ErrUnavailable, key, err)
	}
	spec := t.Spec.Provider
	config := metrics.Config{Address: spec.Address, Headers: spec.Headers, InsecureSkipVerify: spec.InsecureSkipVerify, Region: spec.Region}
	if spec.SecretRef != nil {
		secret, err := readSecret(ctx, p.secrets, client.ObjectKey{Namespace: key.Namespace, Name: spec.SecretRef.Name})
		if err != nil {
			return nil, "", fmt.Errorf("%w: MetricTemplate %s: %w", metrics.ErrUnavailable, key, err)
		}
		config.Secret = secret
	}
	provider, err := p.build(spec.Type, config)
	if err != nil {
		return nil, "", fmt.Errorf("MetricTemplate %s: %w", key, err)
	}
	return provider, t.Spec.Query, nil
}

func (p *providers) build(kind string, c metrics.Config) (metrics.Provider, error) {
	c.Guard = p.guard
	built, err := p.kept.get(kind, c, func() (metrics.Provider, error) {
		factory, err := p.registry.Get(kind)
		if err != nil {
			return nil, err
		}
		return factory(c)
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", metrics.ErrBadQuery, err)
	}
	return built, nil
}
