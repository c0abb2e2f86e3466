package main

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// strategy is a column of the table, with the analyses that a field may have an effect in.
type strategy struct {
	name     string
	analyses []v1beta1.CanaryAnalysis
}

var strategies = []strategy{
	{"weights", []v1beta1.CanaryAnalysis{{StepWeight: 20, MaxWeight: 40}, {StepWeights: []int32{20, 40}}}},
	{"steps", []v1beta1.CanaryAnalysis{{Steps: []v1beta1.CanaryStep{{Weight: new(v1beta1.Percent(20))}, {Weight: new(v1beta1.Percent(60))}}}}},
	{"A/B", []v1beta1.CanaryAnalysis{{Iterations: 2, Match: []v1beta1.CanaryMatch{{Headers: insiders}}}}},
	{"blue/green", []v1beta1.CanaryAnalysis{{Iterations: 2}}},
}

// canaryWith is a Canary with no more than it needs. An HTTPRoute has to be told its Gateway.
func canaryWith(a v1beta1.CanaryAnalysis, provider string) *v1beta1.Canary {
	c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Name: "podinfo", Namespace: "test", UID: "u", Generation: 1}}
	c.Spec.TargetRef = v1beta1.LocalObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "podinfo"}
	c.Spec.Service.Port = 80
	if strings.HasPrefix(provider, "gatewayapi:") {
		c.Spec.Service.GatewayRefs = []v1beta1.GatewayReference{{Kind: "Gateway", Name: "first"}}
	}
	a.Interval, a.Threshold = "10s", 2
	a.Metrics = []v1beta1.CanaryMetric{{Name: v1beta1.MetricSuccessRate, Interval: "1m", ThresholdRange: &v1beta1.ThresholdRange{Min: new(99.0)}}}
	c.Spec.Analysis = &a
	return c
}

// admitted holds what the CRD says of the whole analysis: only one way of giving steps is taken, and
// where it is not this strategy's, the field makes another strategy of it.
func admitted(plain, with *v1beta1.Canary) bool {
	a := with.Spec.Analysis
	ways := 0
	for _, set := range []bool{a.Iterations > 0, a.StepWeight > 0, len(a.StepWeights) > 0, len(a.Steps) > 0} {
		if set {
			ways++
		}
	}
	return ways == 1 && a.Strategy() == plain.Spec.Analysis.Strategy() && (len(a.Steps) == 0 || len(a.Match) == 0 && !a.Mirror)
}
