package canary_test

import (
	"errors"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"k8s.io/utils/ptr"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
)

// mistakes are what users get wrong. Each shows as one condition and one event that say what is
// wrong, where, and what to do; mended, the canary goes on by itself to the given phase.
var mistakes = map[string]struct {
	make      func(*world)
	condition string
	reason    string
	says      []string
	mend      func(*world)
	then      v1beta1.Phase
}{
	"the Deployment does not exist": {
		make:      func(w *world) { w.create(w.service(), w.canary()) },
		condition: v1beta1.ConditionStalled, reason: "TargetMissing",
		says: []string{"Deployment <ns>/podinfo does not exist", "create it, or correct spec.targetRef"},
		mend: func(w *world) { w.create(w.deployment("podinfo:6.0.0")) }, then: v1beta1.PhaseInitialized,
	},
	"a ConfigMap that pods need does not exist": {
		make: func(w *world) {
			w.create(w.service(), w.canary(), w.secret("podinfo-token", "x"), w.configured())
		},
		condition: v1beta1.ConditionStalled, reason: "ConfigMissing",
		says: []string{"ConfigMap <ns>/podinfo-config does not exist", "create it, or make the reference optional"},
		mend: func(w *world) { w.create(w.configMap("podinfo-config", "color: blue")) }, then: v1beta1.PhaseInitialized,
	},
	"the Service lacks the port": {
		make: func(w *world) {
			svc := w.service()
			svc.Spec.Ports[0].Port = 80
			w.create(w.deployment("podinfo:6.0.0"), svc, w.canary())
		},
		condition: v1beta1.ConditionStalled, reason: "ServicePortMissing",
		says: []string{"Service podinfo has no port 9898 (it has [80])", "set spec.service.port"},
		mend: func(w *world) {
			alter(w, "podinfo", &corev1.Service{}, func(s *corev1.Service) { s.Spec.Ports[0].Port = 9898 })
		}, then: v1beta1.PhaseInitialized,
	},
	"the Deployment selects its pods by no known label": {
		make: func(w *world) {
			d := w.deployment("podinfo:6.0.0")
			d.Spec.Selector.MatchLabels = map[string]string{"tier": "web"}
			d.Spec.Template.Labels = map[string]string{"tier": "web"}
			w.create(d, w.service(), w.canary())
		},
		condition: v1beta1.ConditionStalled, reason: "SelectorLabelMissing",
		says: []string{"Deployment <ns>/podinfo selects its pods by none of the labels [app name]", "--selector-labels"},
		mend: func(w *world) {
			must(w.t, w.c.Delete(w.ctx, w.deploymentNamed("podinfo"), client.PropagationPolicy(metav1.DeletePropagationBackground)))
			w.create(w.deployment("podinfo:6.0.0"))
		}, then: v1beta1.PhaseInitialized,
	},
	"the Deployment cannot have two revisions side by side": {
		make: func(w *world) {
			d := w.deployment("podinfo:6.0.0")
			d.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType
			w.create(d, w.service(), w.canary())
		},
		condition: v1beta1.ConditionStalled, reason: "TargetRefused",
		says: []string{"its strategy is Recreate", "set spec.strategy.type to RollingUpdate"},
		mend: func(w *world) {
			alter(w, "podinfo", &appsv1.Deployment{}, func(d *appsv1.Deployment) { d.Spec.Strategy.Type = appsv1.RollingUpdateDeploymentStrategyType })
		}, then: v1beta1.PhaseInitialized,
	},
	"the autoscaler does not exist": {
		make: func(w *world) {
			w.create(w.deployment("podinfo:6.0.0"), w.service(), w.canary(autoscaled))
		},
		condition: v1beta1.ConditionStalled, reason: "AutoscalerMissing",
		says: []string{"HorizontalPodAutoscaler <ns>/podinfo does not exist", "create it, or correct spec.autoscalerRef"},
		mend: func(w *world) { w.create(w.autoscaler()) }, then: v1beta1.PhaseInitialized,
	},
	"the MetricTemplate does not exist": {
		make: func(w *world) {
			w.create(w.deployment("podinfo:6.0.0"), w.service(), w.canary(templated))
		},
		condition: v1beta1.ConditionStalled, reason: "MetricTemplateMissing",
		says: []string{"MetricTemplate <ns>/errors of metric errors does not exist", "create it, or correct templateRef"},
		mend: func(w *world) { w.create(w.template("")) }, then: v1beta1.PhaseInitialized,
	},
	"the provider is not built into the operator": {
		make: func(w *world) {
			w.create(w.deployment("podinfo:6.0.0"), w.service(), w.canary(func(c *v1beta1.Canary) { c.Spec.Provider = "istio" }))
		},
		condition: v1beta1.ConditionStalled, reason: "UnknownProvider",
		says: []string{`provider "istio" is not built into this operator`, "it has: fake, gloo"},
		mend: func(w *world) { w.edit(func(c *v1beta1.Canary) { c.Spec.Provider = "" }) }, then: v1beta1.PhaseInitialized,
	},
	"the router cannot match requests": {
		make: func(w *world) {
			w.router.Can = &router.Features{Weights: true}
			w.create(w.deployment("podinfo:6.0.0"), w.service(), w.canary(func(c *v1beta1.Canary) {
				c.Spec.Analysis.StepWeights, c.Spec.Analysis.Iterations = nil, 3
				c.Spec.Analysis.Match = []v1beta1.CanaryMatch{{Headers: map[string]v1beta1.StringMatch{"x-canary": {Exact: "insider"}}}}
			}))
		},
		condition: v1beta1.ConditionStalled, reason: "NotSupportedByRouter",
		says: []string{"asks provider fake to match requests by header or cookie, which it cannot", "set another spec.provider"},
		mend: func(w *world) { w.edit(func(c *v1beta1.Canary) { c.Spec.Analysis.Match = nil }) }, then: v1beta1.PhaseInitialized,
	},
	"the router cannot take tenths of a percent": {
		make: func(w *world) {
			w.router.Can = &router.Features{Weights: true}
			w.create(w.deployment("podinfo:6.0.0"), w.service(), w.canary(func(c *v1beta1.Canary) {
				c.Spec.Analysis.StepWeights = nil
				c.Spec.Analysis.Steps = []v1beta1.CanaryStep{{Weight: ptr.To(v1beta1.Weight(5))}}
			}))
		},
		condition: v1beta1.ConditionStalled, reason: "NotSupportedByRouter",
		says: []string{"to take tenths of a percent, which it cannot"},
		mend: func(w *world) {
			w.edit(func(c *v1beta1.Canary) {
				c.Spec.Analysis.Steps = []v1beta1.CanaryStep{{Weight: ptr.To(v1beta1.Weight(50))}}
			})
		}, then: v1beta1.PhaseInitialized,
	},
	"the Secret of a MetricTemplate does not exist": {
		make: func(w *world) {
			w.create(w.deployment("podinfo:6.0.0"), w.service(), w.canary(templated), w.template("credentials"))
			w.afterAdoption(func() { w.setImage("podinfo:6.0.1") })
		},
		condition: v1beta1.ConditionReconciling, reason: "ProviderUnavailable",
		says: []string{"Secret <ns>/credentials", "MetricTemplate <ns>/errors"},
		mend: func(w *world) { w.create(&corev1.Secret{ObjectMeta: w.meta("credentials")}) }, then: v1beta1.PhaseSucceeded,
	},
	"Prometheus cannot be asked": {
		make: func(w *world) {
			w.create(w.deployment("podinfo:6.0.0"), w.service(), w.canary())
			w.afterAdoption(func() { w.prom.Fail(errors.New("connection refused")); w.setImage("podinfo:6.0.1") })
		},
		condition: v1beta1.ConditionReconciling, reason: "ProviderUnavailable",
		says: []string{"connection refused"},
		mend: func(w *world) { w.prom.Fail(nil) }, then: v1beta1.PhaseSucceeded,
	},
	"the gateway rejects the route": {
		make: func(w *world) {
			w.create(w.deployment("podinfo:6.0.0"), w.service(), w.canary())
			w.afterAdoption(func() {
				w.setImage("podinfo:6.0.1")
				w.takesWeight(50)
				w.router.Reject(w.key(), "no such cluster")
			})
		},
		condition: v1beta1.ConditionStalled, reason: "RouteRejected",
		says: []string{"the gateway rejected the route: no such cluster", "Mend the route"},
		mend: func(w *world) { w.router.Accept(w.key()); w.wake() }, then: v1beta1.PhaseSucceeded,
	},
}

func TestMistakesAreExplainedAndMendThemselves(t *testing.T) {
	for sentence, test := range mistakes {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			w.operate()
			test.make(w)
			w.wake()
			w.explains(test.condition, test.reason, test.says)
			test.mend(w)
			w.reaches(test.then)
			w.eventually("nothing is stalled any more", func() bool {
				return meta.IsStatusConditionFalse(w.get().Status.Conditions, v1beta1.ConditionStalled)
			})
			if n := w.reasons()[test.reason]; n != 1 {
				t.Errorf("%d events with the reason %s, want 1", n, test.reason)
			}
		})
	}
}

// explains waits for the condition and holds it and the one event against what a reader needs.
func (w *world) explains(condition, reason string, says []string) {
	w.t.Helper()
	var message string
	w.eventually(condition+" is "+reason, func() bool {
		c := meta.FindStatusCondition(w.get().Status.Conditions, condition)
		if c == nil || c.Status != metav1.ConditionTrue || c.Reason != reason || !w.isTold(reason) {
			return false
		}
		message = c.Message
		return true
	})
	var told string
	for _, e := range w.events() {
		if e.Reason == reason {
			told = e.Message
		}
	}
	for _, part := range says {
		part = strings.ReplaceAll(part, "<ns>", w.ns)
		if !strings.Contains(message, part) || !strings.Contains(told, part) {
			w.t.Errorf("the condition or the event does not say %q:\n%s\n%s", part, message, told)
		}
	}
}

func (w *world) isTold(reason string) bool { return w.reasons()[reason] > 0 }

// afterAdoption does something once the canary is at rest.
func (w *world) afterAdoption(do func()) {
	w.t.Helper()
	w.reaches(v1beta1.PhaseInitialized)
	do()
}

// wake makes the operator look again, as the watch of a real router does.
func (w *world) wake() {
	w.t.Helper()
	alter(w, "podinfo", &v1beta1.Canary{}, func(c *v1beta1.Canary) { metav1.SetMetaDataAnnotation(&c.ObjectMeta, "woken", c.ResourceVersion) })
}

func autoscaled(c *v1beta1.Canary) {
	c.Spec.AutoscalerRef = &v1beta1.AutoscalerReference{APIVersion: "autoscaling/v2", Kind: "HorizontalPodAutoscaler", Name: "podinfo"}
}

func templated(c *v1beta1.Canary) {
	limit := 100.0
	c.Spec.Analysis.Metrics = []v1beta1.CanaryMetric{{Name: "errors", Interval: "30s",
		TemplateRef: &v1beta1.CrossNamespaceNameReference{Name: "errors"}, Threshold: &limit}}
}

func (w *world) template(secret string) *v1beta1.MetricTemplate {
	t := &v1beta1.MetricTemplate{ObjectMeta: w.meta("errors")}
	t.Spec.Provider.Type, t.Spec.Provider.Address, t.Spec.Query = "prometheus", "http://prometheus", "vector(1)"
	if secret != "" {
		t.Spec.Provider.SecretRef = &corev1.LocalObjectReference{Name: secret}
	}
	return t
}

// TestTheSecondCanaryOfADeploymentWaits, and takes over when the first one goes.
func TestTheSecondCanaryOfADeploymentWaits(t *testing.T) {
	w, _ := adopted(t)
	second := w.canary()
	second.Name = "late"
	w.create(second)
	read := func() *v1beta1.Canary { c := &v1beta1.Canary{}; w.read("late", c); return c }
	w.eventually("the second canary stalls", func() bool {
		c := meta.FindStatusCondition(read().Status.Conditions, v1beta1.ConditionStalled)
		return c != nil && c.Reason == "TargetTaken" && strings.Contains(c.Message, "Canary "+w.ns+"/podinfo: delete one of the two")
	})
	must(t, w.c.Delete(w.ctx, w.get()))
	w.eventually("the second canary takes over", func() bool { return read().Status.Phase == v1beta1.PhaseInitialized })
	w.atRest("podinfo:6.0.0")
}

func TestAnUnknownFieldIsRefused(t *testing.T) {
	w := newWorld(t)
	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1beta1.GroupVersion.String(), "kind": "Canary",
		"metadata": map[string]any{"namespace": w.ns, "name": "podinfo"},
		"spec": map[string]any{
			"targetRef": map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
			"service":   map[string]any{"port": int64(9898)},
			"analysis":  map[string]any{"stepWeight": int64(10), "treshold": int64(5)},
		},
	}}
	err := w.c.Create(w.ctx, u)
	if err == nil || !strings.Contains(err.Error(), `unknown field "spec.analysis.treshold"`) {
		t.Errorf("got %v", err)
	}
}
