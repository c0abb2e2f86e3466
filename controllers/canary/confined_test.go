package canary_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/apitest"
)

// TestAnEditInMidRunReachesNoOtherNamespace: an operator that is to watch one namespace alone neither
// tells nor asks anything elsewhere, even where it could, and says so. Whether a reference is there from
// the beginning or edited in makes no difference.
func TestAnEditInMidRunReachesNoOtherNamespace(t *testing.T) {
	w := newWorld(t)
	w.confined, w.shared = true, apitest.Namespace(t, w.c)
	here, there, gate := receive(t), receive(t), receive(t)
	gate.always = http.StatusForbidden
	template := w.template("")
	template.Namespace, template.Spec.Query = w.shared, "vector(42)"
	w.create(w.alertProvider(w.ns, "here", here), w.alertProvider(w.shared, "there", there), template, w.deployment("podinfo:6.0.0"), w.service(),
		w.canary(alerting(alertTo("here", "", "")), hooked(v1beta1.CanaryWebhook{Name: "gate", Type: v1beta1.HookConfirmPromotion, URL: gate.URL})))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.setImage("podinfo:6.0.1")
	w.reaches(v1beta1.PhaseWaitingPromotion)

	w.edit(alerting(alertTo("here", "", ""), alertTo("there", "", w.shared)))
	w.warns("ReferenceRefused", "AlertProvider "+w.shared+"/there of alert there: the operator watches namespace "+w.ns+" alone: name one there")
	metrics := w.get().Spec.Analysis.Metrics
	w.edit(func(c *v1beta1.Canary) { templated(c); c.Spec.Analysis.Metrics[0].TemplateRef.Namespace = w.shared })
	w.eventually("the run is held", func() bool {
		c := meta.FindStatusCondition(w.get().Status.Conditions, v1beta1.ConditionStalled)
		return c != nil && c.Reason == "ReferenceRefused" && strings.Contains(c.Message, "the operator watches namespace "+w.ns+" alone")
	})
	w.stays("the run is held", stillness, func() bool { return w.get().Status.Phase == v1beta1.PhaseWaitingPromotion })
	w.edit(func(c *v1beta1.Canary) { c.Spec.Analysis.Metrics = metrics })
	gate.answer(http.StatusOK)
	w.reaches(v1beta1.PhaseSucceeded)
	w.eventually("who may be told is told", func() bool { return slices.Contains(here.kinds(t), "Ended info") })

	w.edit(func(c *v1beta1.Canary) {
		c.Spec.DependsOn = []v1beta1.CrossNamespaceNameReference{{Name: "database", Namespace: w.shared}}
	})
	w.setImage("podinfo:6.0.2")
	w.eventually("the next rollout waits", func() bool {
		return w.get().Status.Reason == "WaitingForOthers" && strings.Contains(w.story(), "Canary "+w.shared+"/database (dependsOn): the operator watches namespace "+w.ns+" alone: name one there")
	})
	if n := len(there.posts()); n > 0 {
		t.Errorf("%d messages were sent elsewhere", n)
	}
	if slices.Contains(w.prom.Queries(), "vector(42)") {
		t.Error("a template from elsewhere was asked")
	}
}
