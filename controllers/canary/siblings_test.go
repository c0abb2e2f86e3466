package canary_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/serin-dev/serin/apis/v1beta1"
)

func selecting(app string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
}

func (w *world) budget(name string, selector *metav1.LabelSelector) *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{ObjectMeta: w.meta(name),
		Spec: policyv1.PodDisruptionBudgetSpec{Selector: selector, MinAvailable: new(intstr.FromInt32(1))}}
}

// TestTheTargetsBudgetsAreThePrimarys (Flagger #1604): the copy follows its original and goes with it.
func TestTheTargetsBudgetsAreThePrimarys(t *testing.T) {
	w := newWorld(t)
	w.create(w.deployment("podinfo:6.0.0"), w.service(), w.budget("podinfo", selecting("podinfo")), w.budget("other", selecting("other")),
		w.budget("all-of-shop", &metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/instance": "shop"}}),
		w.budget("mine", selecting("podinfo")), w.budget("mine-primary", selecting("something")), w.canary())
	op := w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	copied := func() *policyv1.PodDisruptionBudget {
		var b policyv1.PodDisruptionBudget
		w.read("podinfo-primary", &b)
		return &b
	}
	if diff := cmp.Diff(selecting("podinfo-primary"), copied().Spec.Selector); diff != "" || len(copied().OwnerReferences) > 0 {
		t.Errorf("the copy with owners %v (-want +got):\n%s", copied().OwnerReferences, diff)
	}
	for _, name := range []string{"other-primary", "all-of-shop-primary"} {
		if w.find(name, &policyv1.PodDisruptionBudget{}) {
			t.Errorf("PodDisruptionBudget %s was made: its original has the primary's pods, or none of the target's", name)
		}
	}
	var mine policyv1.PodDisruptionBudget
	w.read("mine-primary", &mine)
	if diff := cmp.Diff(selecting("something"), mine.Spec.Selector); diff != "" {
		t.Errorf("the user's own budget was taken over (-want +got):\n%s", diff)
	}
	alter(w, "podinfo", &policyv1.PodDisruptionBudget{}, func(b *policyv1.PodDisruptionBudget) { b.Spec.MinAvailable = new(intstr.FromString("50%")) })
	w.eventually("the copy follows", func() bool { return copied().Spec.MinAvailable.String() == "50%" })
	w.eventually("it is at rest", func() bool { return op.requests.quietFor(stillness) })
	must(t, w.c.Delete(w.ctx, w.budget("podinfo", nil)))
	w.eventually("the copy goes with its original", func() bool { return !w.find("podinfo-primary", &policyv1.PodDisruptionBudget{}) })
	if !w.find("mine-primary", &mine) {
		t.Error("the user's own budget is gone")
	}
}

func (w *world) policy(edit func(*networkingv1.NetworkPolicySpec)) *networkingv1.NetworkPolicy {
	p := &networkingv1.NetworkPolicy{ObjectMeta: w.meta("allow")}
	edit(&p.Spec)
	return p
}

// siblings stand beside a target and mean its pods by the label that is rewritten. The adoption waits,
// and goes on by itself when they are turned.
var siblings = map[string]struct {
	make   func(*world)
	reason string
	says   []string
	mend   func(*world)
}{
	"another Service": {
		make: func(w *world) {
			s := w.service()
			s.Name = "podinfo-metrics"
			w.create(s)
		},
		reason: "SiblingServices",
		says:   []string{"Service podinfo-metrics selects pods by app=podinfo", "turn them to app=podinfo-primary", "serin.dev/acknowledge-siblings=true"},
		mend: func(w *world) {
			alter(w, "podinfo-metrics", &corev1.Service{}, func(s *corev1.Service) { s.Spec.Selector["app"] = "podinfo-primary" })
		},
	},
	"a NetworkPolicy that protects the pods": {
		make: func(w *world) {
			w.create(w.policy(func(p *networkingv1.NetworkPolicySpec) { p.PodSelector = *selecting("podinfo") }))
		},
		reason: "SiblingPolicies",
		says:   []string{"NetworkPolicy allow selects pods by app=podinfo", "select app in (podinfo, podinfo-primary, podinfo-canary) instead"},
		mend: func(w *world) {
			alter(w, "allow", &networkingv1.NetworkPolicy{}, func(p *networkingv1.NetworkPolicy) {
				p.Spec.PodSelector = metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
					{Key: "app", Operator: metav1.LabelSelectorOpIn, Values: []string{"podinfo", "podinfo-primary", "podinfo-canary"}}}}
			})
		},
	},
	"a NetworkPolicy that lets the pods in elsewhere": {
		make: func(w *world) {
			w.create(w.policy(func(p *networkingv1.NetworkPolicySpec) {
				p.PodSelector = *selecting("database")
				p.Ingress = []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{PodSelector: selecting("podinfo")}}}}
			}))
		},
		reason: "SiblingPolicies",
		says:   []string{"NetworkPolicy allow selects"},
		mend: func(w *world) {
			w.edit(func(c *v1beta1.Canary) {
				metav1.SetMetaDataAnnotation(&c.ObjectMeta, "serin.dev/acknowledge-siblings", "true")
			})
		},
	},
}

func TestSiblingsHoldAnAdoption(t *testing.T) {
	for sentence, test := range siblings {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			test.make(w)
			w.create(w.deployment("podinfo:6.0.0"), w.service(), w.canary())
			w.operate()
			w.explains(v1beta1.ConditionStalled, test.reason, test.says)
			if got := *w.deploymentNamed("podinfo").Spec.Replicas; got != 2 {
				t.Errorf("the target has %d replicas meanwhile", got)
			}
			test.mend(w)
			w.reaches(v1beta1.PhaseInitialized)
		})
	}
}

// TestPoliciesThatHoldForTheClonesTooAreNoProblem: they select by another label, or all pods.
func TestPoliciesThatHoldForTheClonesTooAreNoProblem(t *testing.T) {
	w := newWorld(t)
	all := w.policy(func(p *networkingv1.NetworkPolicySpec) {
		p.Ingress = []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{
			{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/instance": "shop"}}},
			{PodSelector: selecting("gateway")}, {PodSelector: &metav1.LabelSelector{}}}}}
	})
	w.create(all, w.deployment("podinfo:6.0.0"), w.service(), w.canary())
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	for _, e := range w.get().Status.Journal {
		if strings.HasPrefix(e.Reason, "Sibling") {
			t.Errorf("it was held: %s", e.What)
		}
	}
}
