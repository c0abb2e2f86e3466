package suite

import (
	"testing"
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
)

const serviceManifest = `apiVersion: serin.dev/v1beta1
kind: Canary
metadata:
  name: podinfo
  namespace: test
spec:
  provider: kubernetes
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}
  progressDeadlineSeconds: 150
  service:
    port: 9898
    targetPort: 9898
  analysis:
    interval: 5s
    iterations: 3
    threshold: 3
    metrics:
    - name: request-success-rate
      thresholdRange: {min: 99}
      interval: 30s
`

// TestServiceAlone has no gateway of any kind: the revision is tested past its users, who come through
// the Service, and becomes theirs when it has passed.
func TestServiceAlone(t *testing.T) {
	t.Parallel()
	s := prepare(t, "service")
	s.both(func(s *scene) {
		s.apply(serviceManifest)
		s.must(s.WaitInitialized(t.Context(), s.ns))
		s.loadDirect("users")
	})
	s.setImage("6.0.1")
	s.both(func(s *scene) {
		s.until("the first check", func(c *v1beta1.Canary) bool {
			return isRunning(c, "6.0.1") && c.Status.Rollout.Step == v1beta1.StepAnalysing
		})
		// Nobody is promised anything of these: they end with the canary.
		s.must(s.StartLoad(t.Context(), s.ns+"-tests", s.to(s.ns, "podinfo-canary", "", "/version", faultRate)))
		t.Cleanup(func() { s.endLoad("tests") })
	})
	from := time.Now().Truncate(time.Second)
	s.untilEnded("6.0.1", v1beta1.OutcomePromoted)
	s.both(func(s *scene) { s.wantOwnVersion("users", "6.0.0", from, s.decided("Promoting")) })
	s.serves("6.0.1")
}
