package suite

import (
	"net/http"
	"strings"
	"testing"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/e2e/load/stream"
)

func TestRollbackByErrors(t *testing.T) {
	s := open(t, "errors", quick)
	spec := s.through("/status/500", faultRate)
	spec.Expect = http.StatusInternalServerError
	s.rollsBack(spec, "request-success-rate")
}

func TestRollbackByDelays(t *testing.T) {
	slow := quick
	slow.latency = 1500
	s := open(t, "delays", slow)
	s.rollsBack(s.through("/delay/2", faultRate), "request-duration")
}

// rollsBack rolls out a revision that misbehaves as soon as users meet it.
func (s *scene) rollsBack(faults stream.Spec, because string) {
	s.Helper()
	s.setImage("6.0.1")
	s.untilWeight("6.0.1", 10)
	s.load("faults", faults)
	s.grpc.command("abort") // podinfo fails nobody there
	c := s.untilEnded("6.0.1", v1beta1.OutcomeFailed)
	if c.Status.Phase != v1beta1.PhaseFailed || c.Status.CanaryWeight != 0 {
		s.Errorf("phase %s at weight %s, want Failed at 0", c.Status.Phase, c.Status.CanaryWeight)
	}
	if said := c.Status.Rollout.Message; !strings.Contains(said, because) {
		s.Errorf("the reason is %q, want it to speak of %s", said, because)
	}
	s.serves("6.0.0")
	weights := s.route.values(s.T)
	if len(weights) < 3 || weights[1] != 10 || weights[len(weights)-1] != 0 {
		s.Errorf("weights %v, want from 10 back to 0", weights)
	}
	if len(weights) > 4 {
		s.Errorf("weights %v: the canary was given more while its checks failed", weights)
	}
}
