package workload

import (
	"slices"

	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// Budget renders the primary's copy of a PodDisruptionBudget of the target's pods. It is nil where the
// budget does not select them, or selects the primary's as well: a pod with two budgets cannot be
// evicted at all.
func Budget(c *v1beta1.Canary, l SelectorLabel, target Object, source *policyv1.PodDisruptionBudget) *policyv1.PodDisruptionBudget {
	if source.Labels[v1beta1.CanaryLabel] != "" || !l.Loses(source.Spec.Selector, target, v1beta1.RolePrimary) {
		return nil
	}
	marks := withoutMarks(source.Labels)
	marks[v1beta1.CanaryLabel] = v1beta1.LabelValue(c.Name)
	copied := &policyv1.PodDisruptionBudget{
		TypeMeta: metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"},
		ObjectMeta: metav1.ObjectMeta{Namespace: source.Namespace, Name: source.Name + "-" + v1beta1.RolePrimary, Labels: marks,
			Annotations: map[string]string{v1beta1.MadeForAnnotation: c.Name}},
		Spec: *source.Spec.DeepCopy(),
	}
	l.rewrite(copied.Spec.Selector, v1beta1.RolePrimary)
	return copied
}

// SameBudget is true when a live budget has all that was rendered.
func SameBudget(live, want *policyv1.PodDisruptionBudget) bool {
	return contains(live.Labels, want.Labels) && contains(live.Annotations, want.Annotations) && equality.Semantic.DeepEqual(live.Spec, want.Spec)
}

// Loses is true when a selector has the target's pods and, by the rewritten label, not those of a role.
func (l SelectorLabel) Loses(selector *metav1.LabelSelector, target Object, role string) bool {
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil || selector == nil {
		return false
	}
	pods := labels.Set(target.Template().Labels)
	return s.Matches(pods) && !s.Matches(labels.Merge(pods, labels.Set{l.Key: l.Of(role)}))
}

// rewrite turns a selector to a role's pods, and to no other application's that it named beside them.
func (l SelectorLabel) rewrite(selector *metav1.LabelSelector, role string) {
	if _, ok := selector.MatchLabels[l.Key]; ok {
		selector.MatchLabels[l.Key] = l.Of(role)
	}
	for i := range selector.MatchExpressions {
		e := &selector.MatchExpressions[i]
		if e.Key == l.Key && e.Operator == metav1.LabelSelectorOpIn && slices.Contains(e.Values, l.Value) {
			e.Values = []string{l.Of(role)}
		}
	}
}
