package v1beta1_test

import (
	"encoding/json"
	"testing"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// FuzzCanary derives all there is to derive from a Canary that nobody has validated.
func FuzzCanary(f *testing.F) {
	for _, c := range []string{
		`{}`, `{"spec":{"analysis":{}}}`, `{"spec":{"analysis":{"stepWeight":10,"maxWeight":50}}}`,
		`{"spec":{"analysis":{"stepWeights":[-1,0,2147483647],"mirror":true,"mirrorWeight":-5}}}`,
		`{"spec":{"analysis":{"stepWeight":-1,"maxWeight":2147483647,"iterations":-3,"interval":"?"}}}`,
		`{"spec":{"analysis":{"steps":[{"weight":"0.1%"},{"weight":"99999999999%"},{"weight":2.5},{"weight":"x"}]}}}`,
		`{"spec":{"analysis":{"stepWeight":1,"match":[{"headers":{"cookie":{"regex":"("}}}],"bakeTime":"-1h"}}}`,
		`{"spec":{"targetRef":{"name":"a"},"service":{"name":"b"},"progressDeadlineSeconds":-1,"autoscalerRef":{}}}`,
	} {
		f.Add([]byte(c))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var c v1beta1.Canary
		if json.Unmarshal(data, &c) != nil {
			return
		}
		a := c.Spec.Analysis
		for _, weighted := range []bool{true, false} {
			steps := a.Listed(weighted)
			if first, second := v1beta1.ListDigest(steps), v1beta1.ListDigest(a.Listed(weighted)); first != second {
				t.Errorf("the same list has the digests %s and %s", first, second)
			}
			if len(steps) > 10000 {
				t.Errorf("%d steps are listed", len(steps))
			}
		}
		if a.IntervalDuration() <= 0 || a.MaxFailedChecks() < 1 || a.InconclusiveChecks() < 1 || a.BakeDuration() < 0 || c.ProgressDeadline() <= 0 {
			t.Errorf("interval %s, %d failed and %d inconclusive checks, bake %s, deadline %s",
				a.IntervalDuration(), a.MaxFailedChecks(), a.InconclusiveChecks(), a.BakeDuration(), c.ProgressDeadline())
		}
		_ = []any{a.Strategy(), a.PrimaryReadyPercent(), a.CanaryReadyPercent(), c.ApexName(), c.PrimaryServiceName(), c.HandsBack()}
	})
}

// FuzzCommand: what is understood is written as what is understood the same.
func FuzzCommand(f *testing.F) {
	for _, text := range []string{"", "pause id=1", "promote --full id=1 by=alice", "rollback --to-revision=3 id=x", "rollback --to-image=a b id=1", "abort id= by=", "retry\nid=1", "x id=1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := v1beta1.ParseCommand(text)
		if err != nil {
			return
		}
		again, err := v1beta1.ParseCommand(c.String())
		if err != nil || again != c {
			t.Errorf("%q is %+v, which is written as %q and read as %+v, %v", text, c, c.String(), again, err)
		}
	})
}
