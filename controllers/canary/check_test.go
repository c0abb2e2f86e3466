package canary_test

import (
	"strings"
	"testing"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/controllers/canary"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/fake"
)

// TestCheckSaysWhatARouterLacks: what would send users elsewhere is refused, what would only be missed
// is a warning, and what the router does is neither.
func TestCheckSaysWhatARouterLacks(t *testing.T) {
	weights := router.Features{Weights: true}
	able := router.Features{Weights: true, Headers: true, Mirror: true, MirrorShare: true, Affinity: true}
	header := map[string]v1beta1.StringMatch{"x-canary": {Exact: "insider"}}
	test := func() *v1beta1.CanaryAnalysis {
		return &v1beta1.CanaryAnalysis{Iterations: 2, Match: []v1beta1.CanaryMatch{{Headers: header}}}
	}
	tests := map[string]struct {
		can              router.Features
		edit             func(*v1beta1.CanarySpec)
		refused, ignored string
	}{
		"nothing asked": {can: weights},
		"a match": {can: weights, refused: "asks provider some to match requests by header or cookie",
			edit: func(s *v1beta1.CanarySpec) {
				s.Analysis = &v1beta1.CanaryAnalysis{Iterations: 2, Match: []v1beta1.CanaryMatch{{Headers: header}}}
			}},
		"a match where it can": {can: router.Features{Weights: true, Headers: true},
			edit: func(s *v1beta1.CanarySpec) {
				s.Analysis = &v1beta1.CanaryAnalysis{Iterations: 2, Match: []v1beta1.CanaryMatch{{Headers: header}}}
			}},
		"copies":     {can: weights, ignored: "spec.analysis.mirror has no effect", edit: func(s *v1beta1.CanarySpec) { s.Analysis.Mirror = true }},
		"kept users": {can: weights, ignored: "spec.analysis.sessionAffinity has no effect", edit: func(s *v1beta1.CanarySpec) { s.Analysis.SessionAffinity = &v1beta1.SessionAffinity{CookieName: "a"} }},
		"a timeout":  {can: weights, ignored: "spec.service.timeout have no effect", edit: func(s *v1beta1.CanarySpec) { s.Service.Timeout = "5s" }},
		"a timeout where it can": {can: router.Features{Weights: true, ServiceFields: []string{"timeout"}},
			edit: func(s *v1beta1.CanarySpec) { s.Service.Timeout = "5s" }},
		"an Upstream": {can: weights, ignored: "spec.upstreamRef has no effect with provider some",
			edit: func(s *v1beta1.CanarySpec) {
				s.UpstreamRef = &v1beta1.CrossNamespaceObjectReference{Kind: "Upstream", Name: "a"}
			}},
		"a maximum beside listed weights": {can: weights, ignored: "spec.analysis.maxWeight has no effect without stepWeight",
			edit: func(s *v1beta1.CanarySpec) {
				s.Analysis = &v1beta1.CanaryAnalysis{StepWeights: []int32{10, 20}, MaxWeight: 50}
			}},
		"a maximum beside its steps": {can: weights, edit: func(s *v1beta1.CanarySpec) { s.Analysis.MaxWeight = 50 }},
		"copies in an A/B test": {can: able, ignored: "spec.analysis.mirror has no effect in an A/B test",
			edit: func(s *v1beta1.CanarySpec) { s.Analysis = test(); s.Analysis.Mirror = true }},
		"kept users in an A/B test": {can: able, ignored: "spec.analysis.sessionAffinity has no effect in an A/B test",
			edit: func(s *v1beta1.CanarySpec) {
				s.Analysis = test()
				s.Analysis.SessionAffinity = &v1beta1.SessionAffinity{CookieName: "a"}
			}},
		"a way back by steps in an A/B test": {can: able, ignored: "spec.analysis.stepWeightPromotion has no effect in an A/B test",
			edit: func(s *v1beta1.CanarySpec) { s.Analysis = test(); s.Analysis.StepWeightPromotion = 20 }},
		"copies and kept users beside weights": {can: able, edit: func(s *v1beta1.CanarySpec) {
			s.Analysis.Mirror, s.Analysis.MirrorWeight, s.Analysis.StepWeightPromotion = true, 50, 20
			s.Analysis.SessionAffinity = &v1beta1.SessionAffinity{CookieName: "a"}
		}},
		"a share of no copies": {can: able, ignored: "spec.analysis.mirrorWeight has no effect without mirror",
			edit: func(s *v1beta1.CanarySpec) { s.Analysis.MirrorWeight = 50 }},
		"weights without any": {can: router.Features{}, ignored: "provider some moves no traffic by weights"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := &v1beta1.Canary{Spec: v1beta1.CanarySpec{Provider: "some", Analysis: &v1beta1.CanaryAnalysis{StepWeight: 20}}}
			if tt.edit != nil {
				tt.edit(&c.Spec)
			}
			refused, ignored := canary.Check(c, &fake.Router{Can: &tt.can})
			said := func(kind, want string, n int, message func(int) string) {
				if (n > 0) != (want != "") || n > 0 && !strings.Contains(message(0), want) {
					t.Errorf("%s: %v %v, want %q", kind, refused, ignored, want)
				}
			}
			said("refused", tt.refused, len(refused), func(i int) string { return refused[i].Message })
			said("ignored", tt.ignored, len(ignored), func(i int) string { return ignored[i].Message })
		})
	}
}
