package rollout

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// careless hears of no broken invariant: the API server refuses most of what is fuzzed here. A hot loop
// and a panic are defects with any spec.
type careless struct{ *testing.T }

func (careless) Errorf(string, ...any) {}

// FuzzSpec plays a rollout by a spec that nobody has validated.
func FuzzSpec(f *testing.F) {
	for kind := range kinds {
		c := &v1beta1.Canary{Spec: v1beta1.CanarySpec{Analysis: &v1beta1.CanaryAnalysis{}}}
		strategy(c, kind)
		spec, err := json.Marshal(c.Spec)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(spec, byte(kind))
	}
	for _, spec := range []string{
		`{}`, `{"skipAnalysis":true}`, `{"analysis":null}`, `{"progressDeadlineSeconds":-1,"analysis":{"interval":"0s","stepWeight":0}}`,
		`{"analysis":{"interval":"x","threshold":-3,"stepWeights":[0,-5,2147483647],"stepWeightPromotion":-1}}`,
		`{"analysis":{"interval":"-9223372036854775808ns","iterations":2147483647,"mirror":true,"mirrorWeight":-1}}`,
		`{"analysis":{"steps":[{"weight":"1000000%","duration":"-1h","pause":true},{}],"bakeTime":"2562047h"}}`,
		`{"analysis":{"stepWeight":50,"primaryReadyThreshold":0,"canaryReadyThreshold":-7,"webhooks":[{"type":"rollback"},{"type":"?","deadline":"-1s"}]}}`,
		`{"analysis":{"stepWeight":1,"maxWeight":-1,"metrics":[{"name":""},{"name":"","thresholdRange":{},"interval":"0"}]},"rollbackWindow":{"revisions":-1}}`,
	} {
		f.Add([]byte(spec), byte(1))
	}
	f.Fuzz(func(t *testing.T, data []byte, what byte) {
		var spec v1beta1.CanarySpec
		if json.Unmarshal(data, &spec) != nil {
			return
		}
		s := newSim(careless{t}, func(c *v1beta1.Canary) { ref := c.Spec.TargetRef; c.Spec = spec; c.Spec.TargetRef = ref })
		s.reply = tempers[int(what)%len(tempers)].reply
		s.setImage(30*time.Second, "6.0.1")
		s.setImage(90*time.Second, "6.0.2")
		s.tell(100*time.Second, []string{"pause", "promote", "promote --full", "abort"}[int(what>>2)%4])
		if what&0x80 != 0 {
			s.remove(2 * time.Minute)
		}
		s.run(3 * time.Minute)
	})
}
