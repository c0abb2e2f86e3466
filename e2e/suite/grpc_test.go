package suite

import (
	"testing"

	"github.com/serin-dev/serin/e2e/load/stream"
)

// prepareBoth prepares podinfo twice: once for HTTP, and beside it, in a namespace of its own, for gRPC,
// which a proxy can only speak to a port that speaks nothing else. Whatever a scene does to the one that it
// gets it does to the other, and no request of either may fail.
func prepareBoth(t *testing.T, name string, replacements ...string) *scene {
	t.Helper()
	s := prepare(t, name)
	s.grpc = prepare(t, name+"-grpc")
	s.applyPodinfo(replacements...)
	s.grpc.applyPodinfo(append(replacements, "        - --level=info\n", "        - --level=info\n        - --grpc-port=9999\n",
		"  - name: http\n    port: 9898\n    targetPort: http\n", "  - name: grpc\n    port: 9999\n    targetPort: 9999\n")...)
	s.grpc.protocol = stream.GRPC
	return s
}

// openBoth is such a scene whose podinfos are adopted and under load. Calls on one kept connection are
// balanced one by one.
func openBoth(t *testing.T, name string, a analysis) *scene {
	t.Helper()
	s := prepareBoth(t, name)
	s.adopt(a)
	return s.open()
}

// both does something to the podinfo for gRPC, where there is one, and to the other.
func (s *scene) both(do func(*scene)) {
	s.Helper()
	if s.grpc != nil {
		do(s.grpc)
	}
	do(s)
}

// grpcManifest follows an Upstream of the users', which tells Envoy to speak HTTP/2 to podinfo.
const grpcManifest = `apiVersion: gloo.solo.io/v1
kind: Upstream
metadata:
  name: podinfo
  namespace: %[1]s
spec:
  useHttp2: true
  kube: {serviceName: podinfo, serviceNamespace: %[1]s, servicePort: 9999}
---
apiVersion: serin.dev/v1beta1
kind: Canary
metadata:
  name: podinfo
  namespace: %[1]s
spec:
  provider: gloo
  upstreamRef: {apiVersion: gloo.solo.io/v1, kind: Upstream, name: podinfo}
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: podinfo}
  autoscalerRef: {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: podinfo}
  progressDeadlineSeconds: 150
  service: {port: 9999, targetPort: 9999, portName: grpc}
  analysis:
    interval: %[2]s
    threshold: %[3]d
    maxWeight: %[4]d
    stepWeight: %[5]d
    metrics:
    - name: request-success-rate
      thresholdRange: {min: 99}
      interval: 30s
`
