package workload

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func in(key string, values ...string) metav1.LabelSelectorRequirement {
	return metav1.LabelSelectorRequirement{Key: key, Operator: metav1.LabelSelectorOpIn, Values: values}
}

// TestBudget: a budget that has the primary's pods anyway is not cloned, or they would have two and
// could not be evicted.
func TestBudget(t *testing.T) {
	exists := metav1.LabelSelectorRequirement{Key: "app", Operator: metav1.LabelSelectorOpExists}
	for sentence, test := range map[string]struct {
		selector *metav1.LabelSelector
		want     *metav1.LabelSelector
	}{
		"by the rewritten label": {&metav1.LabelSelector{MatchLabels: map[string]string{"app": "podinfo"}},
			&metav1.LabelSelector{MatchLabels: map[string]string{"app": "podinfo-primary"}}},
		"by it and another": {&metav1.LabelSelector{MatchLabels: map[string]string{"app": "podinfo", "tier": "web"}},
			&metav1.LabelSelector{MatchLabels: map[string]string{"app": "podinfo-primary", "tier": "web"}}},
		"by an expression with another application": {&metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{in("app", "other", "podinfo")}},
			&metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{in("app", "podinfo-primary")}}},
		"by another label":            {&metav1.LabelSelector{MatchLabels: map[string]string{"tier": "web"}}, nil},
		"by its presence":             {&metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{exists}}, nil},
		"of the primary as well":      {&metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{in("app", "podinfo", "podinfo-primary")}}, nil},
		"of another application":      {&metav1.LabelSelector{MatchLabels: map[string]string{"app": "other"}}, nil},
		"of these pods and a version": {&metav1.LabelSelector{MatchLabels: map[string]string{"app": "podinfo", "version": "5"}}, nil},
		"of all pods":                 {&metav1.LabelSelector{}, nil},
		"of none":                     {nil, nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			source := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: "pdb",
				Labels: map[string]string{"team": "shop", "helm.sh/chart": "x"}},
				Spec: policyv1.PodDisruptionBudgetSpec{Selector: test.selector, MinAvailable: new(intstr.FromString("50%"))}}
			before := source.DeepCopy()
			got := Budget(makeCanary(), SelectorLabel{"app", "podinfo"}, makeTarget(), source)
			if diff := cmp.Diff(before, source); diff != "" {
				t.Errorf("the original was changed (-want +got):\n%s", diff)
			}
			if got == nil || test.want == nil {
				if (got == nil) != (test.want == nil) {
					t.Errorf("got %+v", got)
				}
				return
			}
			want := policyv1.PodDisruptionBudgetSpec{Selector: test.want, MinAvailable: new(intstr.FromString("50%"))}
			if diff := cmp.Diff(want, got.Spec); diff != "" {
				t.Errorf("copy (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(map[string]string{"team": "shop", "serin.dev/canary": "podinfo"}, got.Labels); diff != "" || got.Name != "pdb-primary" {
				t.Errorf("labels of %s (-want +got):\n%s", got.Name, diff)
			}
			if !SameBudget(got, got.DeepCopy()) || SameBudget(source, got) {
				t.Error("the copy is not told from its source")
			}
		})
	}
}

func TestABudgetOfOursIsNotClonedAgain(t *testing.T) {
	source := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"serin.dev/canary": "podinfo"}},
		Spec: policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "podinfo"}}}}
	if got := Budget(makeCanary(), SelectorLabel{"app", "podinfo"}, makeTarget(), source); got != nil {
		t.Errorf("got %+v", got)
	}
}
