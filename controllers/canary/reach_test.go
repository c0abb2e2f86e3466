package canary_test

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/apitest"
	"github.com/serin-dev/serin/router/gloo/api"
)

// TestReferencesAcrossNamespacesAreRefused by an operator that watches all of them, until it is told to allow it:
// nobody is told or asked anything with credentials of another team's.
func TestReferencesAcrossNamespacesAreRefused(t *testing.T) {
	w := newWorld(t)
	w.shared = apitest.Namespace(t, w.c)
	there := receive(t)
	template := w.template("")
	template.Namespace, template.Spec.Query = w.shared, "vector(42)"
	w.create(w.alertProvider(w.shared, "there", there), template, w.deployment("podinfo:6.0.0"), w.service(),
		w.canary(alerting(alertTo("there", "", w.shared))))
	how := "canaries of other namespaces may not name it: name one in " + w.ns + ", or start the operator with --reference-namespaces=" + w.shared +
		" (the chart's value referenceNamespaces)"
	op := w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.warns("ReferenceRefused", "AlertProvider "+w.shared+"/there of alert there: "+how)

	w.edit(func(c *v1beta1.Canary) {
		templated(c)
		c.Spec.Analysis.Metrics[0].TemplateRef.Namespace = w.shared
		c.Spec.DependsOn = []v1beta1.CrossNamespaceNameReference{{Name: "database", Namespace: w.shared}}
	})
	w.setImage("podinfo:6.0.1")
	w.eventually("it is held", func() bool {
		c := meta.FindStatusCondition(w.get().Status.Conditions, v1beta1.ConditionStalled)
		return c != nil && c.Reason == "ReferenceRefused" && strings.HasPrefix(c.Message, "MetricTemplate "+w.shared+"/errors of metric ") && strings.Contains(c.Message, how)
	})
	w.stays("it is held", stillness, func() bool { return w.get().Status.Phase == v1beta1.PhaseInitialized })
	w.edit(func(c *v1beta1.Canary) { c.Spec.Analysis.Metrics = nil })
	w.eventually("it waits", func() bool {
		return w.get().Status.Reason == "WaitingForOthers" && strings.Contains(w.story(), "Canary "+w.shared+"/database (dependsOn): "+how)
	})
	if n := len(there.posts()); n > 0 || slices.Contains(w.prom.Queries(), "vector(42)") {
		t.Errorf("%d messages were sent elsewhere; asked: %v", n, w.prom.Queries())
	}

	op.stop()
	w.open = []string{w.shared}
	w.edit(func(c *v1beta1.Canary) { c.Spec.DependsOn = nil })
	w.edit(func(c *v1beta1.Canary) { templated(c); c.Spec.Analysis.Metrics[0].TemplateRef.Namespace = w.shared })
	w.operate()
	w.reaches(v1beta1.PhaseSucceeded)
	w.warnsOfNothing()
	w.eventually("who is named is told", func() bool { return slices.Contains(there.kinds(t), "Ended info") })
	if !slices.Contains(w.prom.Queries(), "vector(42)") {
		t.Error("the template that may be named was not asked")
	}
}

// TestAnUpstreamOutOfSight: an operator that watches one namespace says so of an Upstream elsewhere, and does not only
// fail.
func TestAnUpstreamOutOfSight(t *testing.T) {
	w := newWorld(t, glooCRDs)
	w.confined = true
	elsewhere := apitest.Namespace(t, w.c)
	w.create(upstream(elsewhere), w.deployment("podinfo:6.0.0"), w.service(), w.virtualService(), w.canary(byGloo, following(elsewhere)))
	w.operate()
	w.eventually("it is stalled", func() bool {
		c := meta.FindStatusCondition(w.get().Status.Conditions, v1beta1.ConditionStalled)
		return c != nil && c.Reason == "ReferenceRefused" && c.Message == "spec.upstreamRef names Upstream "+elsewhere+"/settings, and the operator watches namespace "+w.ns+
			" alone: the canary's Upstreams cannot be made. Name one in "+w.ns+" or remove spec.upstreamRef"
	})
	w.create(upstream(w.ns))
	w.edit(following(w.ns))
	w.reaches(v1beta1.PhaseInitialized)
	w.edit(following(elsewhere))
	w.warns("ReferenceRefused", "the settings copied from it before stay")

	// A release is not held up by what cannot be read.
	w.remove(w.get())
	w.goes()
}

func upstream(namespace string) client.Object {
	u := api.New(api.Upstream)
	u.SetNamespace(namespace)
	u.SetName("settings")
	u.Object["spec"] = map[string]any{"useHttp2": true}
	return u
}

func following(namespace string) func(*v1beta1.Canary) {
	return func(c *v1beta1.Canary) {
		c.Spec.UpstreamRef = &v1beta1.CrossNamespaceObjectReference{APIVersion: "gloo.solo.io/v1", Kind: "Upstream", Name: "settings", Namespace: namespace}
	}
}
