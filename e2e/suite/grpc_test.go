package suite

import "strings"

// overGRPC makes podinfo, its Service and a Canary for them those for users of gRPC, which a proxy can only
// speak to a port that speaks nothing else: by the Gateway API the Service says so, and at Gloo an Upstream.
var overGRPC = strings.NewReplacer(
	"        - --level=info\n", "        - --level=info\n        - --grpc-port=9999\n",
	"  - name: http\n    port: 9898\n    targetPort: http\n",
	"  - name: grpc\n    appProtocol: kubernetes.io/h2c\n    port: 9999\n    targetPort: 9999\n",
	"    port: 9898\n    targetPort: 9898\n", "    port: 9999\n    targetPort: 9999\n",
	"apiVersion: gateway.solo.io/v1\nkind: VirtualService\n", upstream+"apiVersion: gateway.solo.io/v1\nkind: VirtualService\n",
	"  provider: gloo\n", "  provider: gloo\n  upstreamRef: {apiVersion: gloo.solo.io/v1, kind: Upstream, name: podinfo}\n",
)

// upstream is one of the users', which Serin's take after.
const upstream = `apiVersion: gloo.solo.io/v1
kind: Upstream
metadata:
  name: podinfo
  namespace: test
spec:
  useHttp2: true
  kube:
    serviceName: podinfo
    servicePort: 9999
    serviceNamespace: test
---
`

// both does something to the podinfo for gRPC and to the other.
func (s *scene) both(do func(*scene)) {
	s.Helper()
	if s.grpc != nil {
		s.grpc.Helper()
		do(s.grpc)
	}
	do(s)
}
