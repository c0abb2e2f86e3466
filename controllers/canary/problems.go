package canary

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/rollout"
	"github.com/serin-dev/serin/router"
)

// seeSpec holds the spec against what this operator honours. What it does not is never ignored in
// silence: where Flagger does nothing either it is a warning, otherwise the canary stalls.
func (r *Reconciler) seeSpec(ctx context.Context, v *view) error {
	r.seeFields(v)
	if err := r.seeRivals(ctx, v); err != nil {
		return err
	}
	if err := r.seeAlerts(ctx, v); err != nil {
		return err
	}
	return r.seeMetrics(ctx, v)
}

// seeFields is what can be said of a spec and its router without a look at the cluster.
func (r *Reconciler) seeFields(v *view) {
	r.seeStrategy(v)
	r.seeHooks(v)
	r.seeIgnored(v)
}

// Check says of a Canary, as the operator would, what its router refuses and what has no effect with
// it. The documentation's table of fields is made by it.
func Check(c *v1beta1.Canary, rt router.Router) (refused, ignored []rollout.Problem) {
	v := &view{canary: c, router: rt, features: rt.Features()}
	(&Reconciler{}).seeFields(v)
	return v.Problems, v.Warnings
}

// seeStrategy holds what the analysis asks of the route against what the router can. Matches that
// nothing evaluates would send everybody where only some were meant to go; what Flagger leaves out in
// silence too is a warning.
func (r *Reconciler) seeStrategy(v *view) {
	a := v.canary.Spec.Analysis
	if a == nil || v.router == nil {
		return
	}
	f, provider := v.features, r.provider(v.canary)
	w := wishesOf(a)
	if !f.Weights {
		if asked := set(map[string]bool{"match": len(w.match) > 0, "weights": w.weights && a.Iterations == 0, "mirror": w.mirror, "sessionAffinity": a.SessionAffinity != nil}); len(asked) > 0 {
			v.warning("FieldsIgnored", "provider %s moves no traffic by %s: a revision is tested without traffic and then promoted", provider, strings.Join(asked, ", "))
		}
		return
	}
	for _, missing := range set(map[string]bool{
		"match requests by header or cookie":    w.headers && !f.Headers,
		"match requests by query parameter":     w.params && !f.QueryParams,
		"match requests by method":              w.methods && !f.Methods,
		"match requests by where they are from": w.sources,
		"take tenths of a percent":              w.tenths && !f.Tenths,
	}) {
		v.problem("NotSupportedByRouter", "spec.analysis asks provider %s to %s, which it cannot: take that out, or set another spec.provider", provider, missing)
	}
	for _, ignored := range set(map[string]bool{
		"mirror": w.mirror && !f.Mirror, "mirrorWeight": w.mirrorShare && f.Mirror && !f.MirrorShare, "sessionAffinity": a.SessionAffinity != nil && !f.Affinity,
	}) {
		v.warning("FieldsIgnored", "spec.analysis.%s has no effect with provider %s", ignored, provider)
	}
	v.seeIdle(a)
	if len(v.Problems) == 0 && !v.canary.Spec.SkipAnalysis && len(a.Listed(true)) == 0 {
		v.problem("NoSteps", "spec.analysis has no step: set stepWeight, stepWeights, steps or iterations")
	}
}

// seeIdle warns about fields of the analysis that have no effect beside its other fields.
func (v *view) seeIdle(a *v1beta1.CanaryAnalysis) {
	test := a.Strategy() == v1beta1.StrategyABTesting
	for _, idle := range set(map[string]bool{
		"maxWeight has no effect without stepWeight":       a.MaxWeight > 0 && a.StepWeight == 0,
		"mirror has no effect in an A/B test":              a.Mirror && test,
		"mirrorWeight has no effect without mirror":        a.MirrorWeight > 0 && !a.Mirror,
		"sessionAffinity has no effect in an A/B test":     a.SessionAffinity != nil && test,
		"stepWeightPromotion has no effect in an A/B test": a.StepWeightPromotion > 0 && test,
	}) {
		v.warning("FieldsIgnored", "spec.analysis.%s", idle)
	}
}

// wishes are what an analysis asks of a route.
type wishes struct {
	match                                []v1beta1.CanaryMatch
	headers, params, methods, sources    bool
	weights, tenths, mirror, mirrorShare bool
}

func wishesOf(a *v1beta1.CanaryAnalysis) wishes {
	var w wishes
	for _, s := range a.Listed(true) {
		w.match = append(w.match, s.Match...)
		w.weights = w.weights || s.Weight > 0
		w.tenths = w.tenths || s.Weight%10 != 0
		w.mirror = w.mirror || s.Mirror > 0
		w.mirrorShare = w.mirrorShare || s.Mirror > 0 && s.Mirror < v1beta1.FullWeight
	}
	for _, m := range w.match {
		w.headers = w.headers || len(m.Headers)+len(m.Cookies) > 0
		w.params = w.params || len(m.QueryParams) > 0
		w.methods = w.methods || m.Method != nil
		w.sources = w.sources || len(m.SourceLabels) > 0
	}
	return w
}

// set lists the fields that are set, in a stable order: a message that changes its order is news.
func set(fields map[string]bool) []string {
	var out []string
	for _, f := range slices.Sorted(maps.Keys(fields)) {
		if fields[f] {
			out = append(out, f)
		}
	}
	return out
}

// seeIgnored warns about fields that have no effect with the canary's router, as they have none in Flagger.
func (r *Reconciler) seeIgnored(v *view) {
	s := v.canary.Spec.Service
	heeded := func(field string) bool { return slices.Contains(v.features.ServiceFields, field) }
	ignored := slices.DeleteFunc(set(map[string]bool{
		"timeout": s.Timeout != "", "backendTimeout": s.BackendTimeout != "", "gateways": len(s.Gateways) > 0, "gatewayRefs": len(s.GatewayRefs) > 0,
		"hosts": len(s.Hosts) > 0, "delegation": s.Delegation, "trafficPolicy": s.TrafficPolicy != nil,
		"match": len(s.Match) > 0, "rewrite": s.Rewrite != nil, "retries": s.Retries != nil,
		"headers": s.Headers != nil, "mirror": len(s.Mirror) > 0, "corsPolicy": s.CorsPolicy != nil,
		"meshName": s.MeshName != "", "backends": len(s.Backends) > 0,
	}), heeded)
	if len(ignored) > 0 {
		v.warning("FieldsIgnored", "spec.service.%s have no effect with provider %s: set them on the route itself",
			strings.Join(ignored, ", spec.service."), r.provider(v.canary))
	}
	if v.canary.Spec.UpstreamRef != nil && v.router != nil && !v.features.Upstream {
		v.warning("FieldsIgnored", "spec.upstreamRef has no effect with provider %s: it names an Upstream of Gloo", r.provider(v.canary))
	}
}

// seeRivals refuses a target that another canary names: two would undo each other's steps. The
// older one keeps it.
func (r *Reconciler) seeRivals(ctx context.Context, v *view) error {
	var l v1beta1.CanaryList
	ref := v.canary.Spec.TargetRef
	if err := r.client.List(ctx, &l, client.InNamespace(v.canary.Namespace),
		client.MatchingFields{indexTarget: targetOf(v.canary)}); err != nil {
		return fmt.Errorf("list canaries of %s %s: %w", ref.Kind, ref.Name, err)
	}
	for i := range l.Items {
		o := &l.Items[i]
		if o.UID != v.canary.UID && older(o, v.canary) {
			v.problem("TargetTaken", "%s %s is already the target of Canary %s/%s: delete one of the two", ref.Kind, ref.Name, o.Namespace, o.Name)
			return nil
		}
	}
	return nil
}

func older(a, b *v1beta1.Canary) bool {
	if a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.Name < b.Name
	}
	return a.CreationTimestamp.Before(&b.CreationTimestamp)
}

// seeMetrics finds templates that are missing or that nothing here can ask, before a rollout needs them.
func (r *Reconciler) seeMetrics(ctx context.Context, v *view) error {
	a := v.canary.Spec.Analysis
	if a == nil {
		return nil
	}
	for _, m := range a.Metrics {
		if m.TemplateRef == nil {
			continue
		}
		key := templateKey(v.canary, m)
		if err := r.outOfReach(v.canary.Namespace, key); err != nil {
			v.problem(reasonRefused, "MetricTemplate %s of metric %s: %s", key, m.Name, err)
			continue
		}
		t, err := get[v1beta1.MetricTemplate](ctx, r.client, key.Namespace, key.Name)
		if err != nil && !apierrors.IsForbidden(err) {
			return err
		}
		if t == nil {
			v.problem("MetricTemplateMissing", "MetricTemplate %s of metric %s does not exist: create it, or correct templateRef", key, m.Name)
			continue
		}
		if _, err := r.Metrics.Get(t.Spec.Provider.Type); err != nil {
			v.problem("MetricProviderUnknown", "MetricTemplate %s: %s", key, err)
		}
	}
	return nil
}
