package router_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
)

func TestRefuse(t *testing.T) {
	all := router.Features{Weights: true, Tenths: true, Headers: true, QueryParams: true, Methods: true, Mirror: true, MirrorShare: true, Affinity: true}
	without := func(change func(*router.Features)) router.Features {
		f := all
		change(&f)
		return f
	}
	given := map[string]v1beta1.StringMatch{"a": {}}
	match := func(m v1beta1.CanaryMatch) router.Traffic {
		return router.Traffic{Weights: router.Percent(100), Rules: v1beta1.RouteRules{Match: []v1beta1.CanaryMatch{m}}}
	}
	everything := router.Traffic{Weights: router.Split(125), Rules: v1beta1.RouteRules{
		Match:  []v1beta1.CanaryMatch{{Headers: given, Cookies: given, QueryParams: given, Method: &v1beta1.StringMatch{}}},
		Mirror: 125, Affinity: &v1beta1.Affinity{},
	}}
	tests := map[string]struct {
		features router.Features
		traffic  router.Traffic
		want     string // of what the router cannot; empty where it can all
	}{
		"all":                      {all, everything, ""},
		"nothing asked of nothing": {router.Features{}, router.Traffic{Weights: router.Percent(100)}, ""},
		"weights": {without(func(f *router.Features) { f.Weights = false }), router.Traffic{Weights: router.Percent(20)},
			"share requests by weight (80/20)"},
		"tenths": {without(func(f *router.Features) { f.Tenths = false }), router.Traffic{Weights: router.Split(125)},
			"set tenths of a percent (87.5/12.5)"},
		"headers":          {without(func(f *router.Features) { f.Headers = false }), match(v1beta1.CanaryMatch{Headers: given}), "match requests by headers"},
		"cookies":          {without(func(f *router.Features) { f.Headers = false }), match(v1beta1.CanaryMatch{Cookies: given}), "match requests by cookies"},
		"query parameters": {without(func(f *router.Features) { f.QueryParams = false }), match(v1beta1.CanaryMatch{QueryParams: given}), "match requests by queryParams"},
		"methods":          {without(func(f *router.Features) { f.Methods = false }), match(v1beta1.CanaryMatch{Method: &v1beta1.StringMatch{}}), "match requests by method"},
		"source labels":    {all, match(v1beta1.CanaryMatch{SourceLabels: map[string]string{"a": "b"}}), "match requests by sourceLabels"},
		"mirror":           {without(func(f *router.Features) { f.Mirror = false }), router.Traffic{Weights: router.Percent(0), Rules: v1beta1.RouteRules{Mirror: 125}}, "mirror requests"},
		"mirror of a share": {without(func(f *router.Features) { f.MirrorShare = false }), router.Traffic{Weights: router.Percent(0), Rules: v1beta1.RouteRules{Mirror: 125}},
			"mirror a share of the requests (12.5 %)"},
		"a mirror of all where there are no shares": {without(func(f *router.Features) { f.MirrorShare = false }),
			router.Traffic{Weights: router.Percent(0), Rules: v1beta1.RouteRules{Mirror: v1beta1.FullWeight}}, ""},
		"affinity": {without(func(f *router.Features) { f.Affinity = false }), router.Traffic{Weights: router.Percent(0), Rules: v1beta1.RouteRules{Affinity: &v1beta1.Affinity{}}},
			"keep users on a side by a cookie (sessionAffinity)"},
		"two at once": {router.Features{Weights: true, Mirror: true}, router.Traffic{Weights: router.Split(125), Rules: v1beta1.RouteRules{Mirror: 125}},
			"set tenths of a percent (87.5/12.5), nor mirror a share of the requests (12.5 %)"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			err := tc.features.Refuse(tc.traffic)
			if tc.want == "" {
				if err != nil {
					t.Errorf("Refuse returns %v, want nil", err)
				}
				return
			}
			var refused *router.NotReady
			if !errors.As(err, &refused) || !strings.Contains(refused.Problem.Message, "cannot "+tc.want+":") {
				t.Errorf("Refuse returns %v, want a *NotReady that says: cannot %s", err, tc.want)
			}
		})
	}
}
