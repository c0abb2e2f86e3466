package router_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
)

func TestHeed(t *testing.T) {
	match := []v1beta1.CanaryMatch{{Headers: map[string]v1beta1.StringMatch{"x": {Exact: "y"}}}}
	all := v1beta1.RouteRules{Match: match, Mirror: 125, Affinity: &v1beta1.Affinity{CanaryValue: "a"}}
	for name, tc := range map[string]struct {
		features router.Features
		want     v1beta1.RouteRules
	}{
		"nothing lacks":           {router.Features{Mirror: true, MirrorShare: true, Affinity: true}, all},
		"a match is never lost":   {router.Features{}, v1beta1.RouteRules{Match: match}},
		"all requests for some":   {router.Features{Mirror: true}, v1beta1.RouteRules{Match: match, Mirror: v1beta1.FullWeight}},
		"cookies without copies":  {router.Features{Affinity: true}, v1beta1.RouteRules{Match: match, Affinity: all.Affinity}},
		"a share without cookies": {router.Features{Mirror: true, MirrorShare: true}, v1beta1.RouteRules{Match: match, Mirror: 125}},
	} {
		if diff := cmp.Diff(tc.want, tc.features.Heed(all)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := (router.Features{Mirror: true}).Heed(v1beta1.RouteRules{}); !got.Empty() {
		t.Errorf("of no rules become %+v", got)
	}
}
