// Package audit holds the rights that the chart grants against what the API server's audit log says
// of an operator that does everything it can: none is unused and none is missing.
package audit

import (
	"fmt"
	"slices"
	"testing"

	"github.com/serin-dev/serin/e2e/internal/bare"
)

// TestAnInstallForAllNamespacesHasWhatItNeeds and nothing else.
func TestAnInstallForAllNamespacesHasWhatItNeeds(t *testing.T) {
	t.Parallel()
	w := start(t, "shop", "shared", "serin-system", "elsewhere")
	c := w.installs("serin-system", "referenceNamespaces={"+w.shared+"}")
	w.plays(c, func() { w.scrapesByToken(c) })
	w.judges(c, nil)
}

// TestAnInstallForOneNamespaceStaysInIt, with all features and without a ClusterRoleBinding.
func TestAnInstallForOneNamespaceStaysInIt(t *testing.T) {
	t.Parallel()
	w := start(t, "shop", "shop", "serin-system")
	c := w.installs("serin-system", "namespace=shop", "metrics.certSecret=metrics")
	for _, u := range c.all {
		if u.GetKind() == "ClusterRoleBinding" {
			t.Errorf("ClusterRoleBinding %s gives rights everywhere", u.GetName())
		}
	}
	w.plays(c, w.scrapesByCertificate)
	w.judges(c, []string{"shop", "serin-system"})
}

// installs installs the chart for this world. What it mounts into the operator's pod is in a directory here.
func (w *world) installs(home string, values ...string) *chart {
	w.Helper()
	var err error
	w.metrics, err = bare.FreeAddress()
	must(w.T, err)
	w.certs = certificates(w.T)
	c := render(w.T, home, append(values, "metricsServer="+w.url,
		"configTracking.secretNamespaces={"+w.ns+"}", "metricSecrets[0].namespace="+w.shared, "metricSecrets[0].names={prometheus,team}",
		"metricSecrets[1].namespace="+w.ns, "metricSecrets[1].names={gate}",
		"extraArgs={--metrics-bind-address="+w.metrics+",--metrics-cert-dir="+w.certs+",--health-probe-bind-address=127.0.0.1:0,--leader-election-namespace="+home+"}")...)
	c.install(w.T, w.Client)
	w.kubeconfig = c.kubeconfig(w.T, w.Client, w.server.Config)
	return c
}

// judges reads the audit log, of an operator that has ended: only then are its watches in it. confined
// are the namespaces that it must not leave; nil for no such bound.
func (w *world) judges(c *chart, confined []string) {
	w.Helper()
	var requests []bare.Request
	w.eventually("the watches are in the audit log", func() (bool, string) {
		var err error
		requests, err = w.server.Audit(func(r bare.Request) bool { return r.User.Name == c.user() })
		must(w.T, err)
		return slices.ContainsFunc(requests, func(r bare.Request) bool { return r.Verb == "watch" }), fmt.Sprintf("%d requests", len(requests))
	})
	granted := c.granted(w.T)
	used := 0
	for _, r := range granted {
		if slices.ContainsFunc(requests, r.usedBy) {
			used++
			continue
		}
		w.Errorf("%s is granted (in namespace %q) and not used", r, r.namespace)
	}
	for _, q := range requests {
		switch in := q.Object.Namespace; {
		case q.Response.Code == 403:
			w.Errorf("%s %s was forbidden", q.Verb, q.RequestURI)
		case q.Object.Resource == "secrets" && (q.Verb == "list" || q.Verb == "watch") && in != w.ns:
			w.Errorf("Secrets were listed where that is not granted: %s %s", q.Verb, q.RequestURI)
		case confined != nil && !bound(q, confined):
			w.Errorf("%s %s is outside of %v", q.Verb, q.RequestURI, confined)
		}
	}
	w.Logf("%d rules grant %d rights, and %d of them were used, in %d requests", c.rules, len(granted), used, len(requests))
}

// bound is true for what stays in the namespaces, and for what every account may ask: which kinds there
// are, and what rights it has itself.
func bound(q bare.Request, namespaces []string) bool {
	return q.Object.Resource == "" || q.Object.Resource == "selfsubjectaccessreviews" || slices.Contains(namespaces, q.Object.Namespace)
}
