package analysis

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/ptr"
)

var (
	atLeast99 = Threshold{Min: ptr.To(99.0), Unit: " %"}
	atMost500 = Threshold{Max: ptr.To(500.0), Unit: " ms"}
)

func TestJudge(t *testing.T) {
	measured := func(v float64) Measurement { return Measurement{Evidence: Measured, Value: v} }
	for sentence, test := range map[string]struct {
		threshold   Threshold
		measurement Measurement
		want        Check
	}{
		"a value above its lower bound passes": {atLeast99, Measurement{Evidence: Measured, Value: 99.94, Requests: 412},
			Check{Verdict: Passed, Evidence: Measured, Value: "99.94 %", Threshold: "≥ 99 %", Requests: 412, Message: "rate 99.94 % ≥ 99 % (412 requests)"}},
		"a value on its bound passes": {atLeast99, measured(99),
			Check{Verdict: Passed, Evidence: Measured, Value: "99 %", Threshold: "≥ 99 %", Message: "rate 99 % ≥ 99 %"}},
		"a value below its lower bound fails": {atLeast99, measured(96.2),
			Check{Verdict: Failed, Evidence: Measured, Value: "96.2 %", Threshold: "≥ 99 %", Message: "rate 96.2 % < 99 %"}},
		"a value just below is not rounded up to its bound": {atLeast99, measured(98.9999),
			Check{Verdict: Failed, Evidence: Measured, Value: "98.99 %", Threshold: "≥ 99 %", Message: "rate 98.99 % < 99 %"}},
		"a value above its upper bound fails": {atMost500, measured(512),
			Check{Verdict: Failed, Evidence: Measured, Value: "512 ms", Threshold: "≤ 500 ms", Message: "rate 512 ms > 500 ms"}},
		"a value outside of a range fails at its nearer end": {Threshold{Min: ptr.To(1.0), Max: ptr.To(5.0)}, measured(0.5),
			Check{Verdict: Failed, Evidence: Measured, Value: "0.5", Threshold: "1 to 5", Message: "rate 0.5 < 1"}},
		"no data is no verdict": {atLeast99, Measurement{Evidence: NoData, Message: "no series"},
			Check{Verdict: Inconclusive, Evidence: NoData, Threshold: "≥ 99 %", Message: "rate: no series"}},
		"a bad query is no verdict": {atLeast99, Measurement{Evidence: BadQuery, Message: "two series"},
			Check{Verdict: Inconclusive, Evidence: BadQuery, Threshold: "≥ 99 %", Message: "rate: two series"}},
		"a provider that is away is no verdict": {atLeast99, Measurement{Evidence: Unavailable, Message: "refused"},
			Check{Verdict: Inconclusive, Evidence: Unavailable, Threshold: "≥ 99 %", Message: "rate: refused"}},
		"NaN is no data, whatever the bound": {atMost500, measured(math.NaN()),
			Check{Verdict: Inconclusive, Evidence: NoData, Threshold: "≤ 500 ms", Message: "rate: the value is not a number"}},
		"infinity is no data": {atLeast99, measured(math.Inf(1)),
			Check{Verdict: Inconclusive, Evidence: NoData, Threshold: "≥ 99 %", Message: "rate: the value is not a number"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			test.want.Name = "rate"
			if diff := cmp.Diff(test.want, Judge("rate", test.threshold, test.measurement)); diff != "" {
				t.Errorf("check (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNumber(t *testing.T) {
	for want, v := range map[string]float64{
		"96.2": 96.2, "99.94": 99.94, "99.99": 99.996, "48": 48, "0.0031": 0.0031, "0": 0, "1234": 1234.56, "-0.5": -0.5, "0.1": 0.1, "4.35": 4.35,
	} {
		if got := Number(v); got != want {
			t.Errorf("Number(%v) is %s, want %s", v, got, want)
		}
	}
}
