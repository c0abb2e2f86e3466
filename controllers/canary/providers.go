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
}

// of finds what answers a metric and renders its query over the question's window.
func (p *providers) of(ctx context.Context, r *Reconciler, in inquiry, m v1beta1.CanaryMetric) (metrics.Provider, string, error) {
	c := in.canary
	target := c.CanaryName()
	if in.Primary {
		target = c.PrimaryName()
	}
	vars := metrics.Vars{
		Name: c.Name, Namespace: c.Namespace, Target: target, Service: c.ApexName(),
		Interval: in.Window, Variables: m.TemplateVariables,
	}
	if c.Spec.IngressRef != nil {
		vars.Ingress = c.Spec.IngressRef.Name
	}
	if c.Spec.RouteRef != nil {
		vars.Route = c.Spec.RouteRef.Name
	}
	query := m.Query
	var provider metrics.Provider
	var err error
	switch {
	case m.TemplateRef != nil:
		provider, query, err = p.template(ctx, r.client, templateKey(c, m))
	default:
		provider, err = p.builtin(r.metricsServer(c))
		if query == "" {
			query = builtinQuery(m.Name, in)
		}
	}
	if err != nil {
		return nil, "", err
	}
	if query == "" {
		return nil, "", fmt.Errorf("%w: metric %s is neither built in nor has a query or a templateRef", metrics.ErrBadQuery, m.Name)
	}
	query, err = metrics.Render(query, vars)
	// A query written where the target itself is analysed names the primary as {{ target }}-primary.
	return provider, strings.ReplaceAll(query, c.CanaryName()+"-"+v1beta1.RolePrimary, c.PrimaryName()), err
}

func builtinQuery(name string, in inquiry) string {
	switch {
	case name == v1beta1.MetricSuccessRate && in.Primary:
		return in.telemetry.PrimarySuccessRate
	case name == v1beta1.MetricSuccessRate:
		return in.telemetry.SuccessRate
	case name == v1beta1.MetricDuration && in.Primary:
		return in.telemetry.PrimaryLatency
	case name == v1beta1.MetricDuration:
		return in.telemetry.Latency
	}
	return ""
}

func (p *providers) builtin(address string) (metrics.Provider, error) {
	return p.build(providerPrometheus, metrics.Config{Address: address})
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
	return provider, t.Spec.Query, err
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
