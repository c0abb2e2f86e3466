package stage

import "strings"

// Names are where everything is. Locally they are those that manuals and samples use; in somebody's
// cluster, where these may be taken, they are the demo's own.
type Names struct {
	// App is the namespace of podinfo and the load tester.
	App string
	// Operator is that of Serin and its Prometheus, Release the name of its Helm release.
	Operator, Release string
	// Gateway is that of Envoy and its control plane.
	Gateway string
	// Tools is that of the load generator and the Slack receiver.
	Tools string
}

var (
	localNames    = Names{App: "test", Operator: "serin-system", Release: "serin", Gateway: "gloo-system", Tools: "serin-demo-tools"}
	existingNames = Names{
		App: "serin-demo-app", Operator: "serin-demo-system", Release: "serin-demo",
		Gateway: "serin-demo-gateway", Tools: "serin-demo-tools",
	}
)

// Prometheus is the name of its Deployment.
func (n Names) Prometheus() string { return n.Release + "-prometheus" }

// rename turns a manifest written for the local names into one for these.
func (n Names) rename(manifest string) string {
	return strings.NewReplacer(
		"namespace: test\n", "namespace: "+n.App+"\n",
		"name: test\n", "name: "+n.App+"\n",
		"loadtester.test/", "loadtester."+n.App+"/",
		"podinfo-canary.test:", "podinfo-canary."+n.App+":",
		"system:serviceaccount:serin-system:serin", "system:serviceaccount:"+n.Operator+":"+n.Release,
		"name: serin-e2e-gateway\n", "name: "+n.clusterRole()+"\n",
		"gloo-system", n.Gateway,
	).Replace(manifest)
}

// clusterRole of the gateway: the one object of it that is in no namespace.
func (n Names) clusterRole() string {
	if n == localNames {
		return "serin-e2e-gateway"
	}
	return n.Gateway
}
