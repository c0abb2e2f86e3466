// Package workload renders the two clones of a target and what stands around them: Deployments,
// Services, the primary's autoscaler. It renders and compares; it talks to nobody.
package workload

import (
	"fmt"
	"maps"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// SelectorLabel is the one label of the target's selector that is rewritten to tell the clones'
// pods from the target's and from each other.
type SelectorLabel struct{ Key, Value string }

// FindSelectorLabel picks the first of the candidates that the target selects its pods by. It is
// false where there is none: such a target cannot be cloned.
func FindSelectorLabel(target *appsv1.Deployment, candidates []string) (SelectorLabel, bool) {
	if target.Spec.Selector == nil {
		return SelectorLabel{}, false
	}
	for _, key := range candidates {
		if v, ok := target.Spec.Selector.MatchLabels[key]; ok && target.Spec.Template.Labels[key] == v {
			return SelectorLabel{Key: key, Value: v}, true
		}
	}
	return SelectorLabel{}, false
}

// Of is the label's value on a role's pods.
func (l SelectorLabel) Of(role string) string { return l.Value + "-" + role }

// Selector is the whole selector of a role's pods: the target's, with one label rewritten.
func (l SelectorLabel) Selector(target *appsv1.Deployment, role string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, target.Spec.Selector.MatchLabels)
	out[l.Key] = l.Of(role)
	return out
}

// Clone is what a role's Deployment is rendered from.
type Clone struct {
	Canary *v1beta1.Canary
	Target *appsv1.Deployment
	Label  SelectorLabel
	// Role is v1beta1.RolePrimary or v1beta1.RoleCanary.
	Role string
	// Revision names the snapshot, Template is its content as the API server stored it.
	Revision string
	Template map[string]any
	Replicas int32
	Stamp    int64
	// RestartedAt marks the pods; a new mark replaces them. Empty for none.
	RestartedAt string
}

// Name of the clone's Deployment.
func (c Clone) Name() string { return c.Target.Name + "-" + c.Role }

// Deployment renders the clone whole, to be created.
func (c Clone) Deployment() *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetAPIVersion("apps/v1")
	u.SetKind("Deployment")
	u.SetNamespace(c.Target.Namespace)
	u.SetName(c.Name())
	labels := withoutMarks(c.Target.Labels)
	if labels[c.Label.Key] == c.Label.Value {
		labels[c.Label.Key] = c.Label.Of(c.Role)
	}
	u.SetLabels(c.mark(labels))
	annotations := withoutMarks(c.Target.Annotations)
	annotations[v1beta1.RevisionAnnotation] = c.Revision
	annotations[v1beta1.TransitionAnnotation] = fmt.Sprint(c.Stamp)
	u.SetAnnotations(annotations)
	u.Object["spec"] = c.spec()
	return u
}

func (c Clone) spec() map[string]any {
	selector := map[string]any{"matchLabels": stringMap(c.Label.Selector(c.Target, c.Role))}
	if exprs := c.Target.Spec.Selector.MatchExpressions; len(exprs) > 0 {
		if m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(c.Target.Spec.Selector); err == nil {
			selector["matchExpressions"] = m["matchExpressions"]
		}
	}
	spec := map[string]any{
		"replicas": int64(c.Replicas),
		"selector": selector,
		"template": c.PodTemplate(),
		"strategy": c.Strategy(),
	}
	if v := c.Target.Spec.MinReadySeconds; v > 0 {
		spec["minReadySeconds"] = int64(v)
	}
	if v := c.Target.Spec.ProgressDeadlineSeconds; v != nil {
		spec["progressDeadlineSeconds"] = int64(*v)
	}
	if v := c.Target.Spec.RevisionHistoryLimit; v != nil {
		spec["revisionHistoryLimit"] = int64(*v)
	}
	return spec
}

// Strategy replaces pods without ever being fewer: nothing is unavailable, at least one is extra.
func (c Clone) Strategy() map[string]any {
	surge := any("25%")
	if ru := c.Target.Spec.Strategy.RollingUpdate; ru != nil && ru.MaxSurge != nil && ru.MaxSurge.String() != "0" && ru.MaxSurge.String() != "0%" {
		surge = any(ru.MaxSurge.String())
		if ru.MaxSurge.Type == 0 {
			surge = int64(ru.MaxSurge.IntVal)
		}
	}
	return map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"maxUnavailable": int64(0), "maxSurge": surge}}
}

// PodTemplate renders the snapshot for the role: its selector label rewritten wherever it selects
// these pods, and labels that name canary, role and revision.
func (c Clone) PodTemplate() map[string]any {
	t := runtime.DeepCopyJSON(c.Template)
	labels, _, _ := unstructured.NestedStringMap(t, "metadata", "labels")
	if labels == nil {
		labels = map[string]string{}
	}
	labels[c.Label.Key] = c.Label.Of(c.Role)
	labels = c.mark(labels)
	labels[v1beta1.RevisionLabel] = v1beta1.LabelValue(c.Revision)
	_ = unstructured.SetNestedStringMap(t, labels, "metadata", "labels")
	if c.RestartedAt != "" {
		_ = unstructured.SetNestedField(t, c.RestartedAt, "metadata", "annotations", v1beta1.RestartedAnnotation)
	}
	spec, _, _ := unstructured.NestedFieldNoCopy(t, "spec")
	c.rewriteSelectors(spec)
	return t
}

// rewriteSelectors follows the rewritten label into affinity and topology spread: a rule that keeps
// the application's pods apart must go on doing so.
func (c Clone) rewriteSelectors(node any) {
	switch n := node.(type) {
	case map[string]any:
		if sel, ok := n["labelSelector"].(map[string]any); ok {
			c.rewriteSelector(sel)
		}
		for _, v := range n {
			c.rewriteSelectors(v)
		}
	case []any:
		for _, v := range n {
			c.rewriteSelectors(v)
		}
	}
}

func (c Clone) rewriteSelector(sel map[string]any) {
	if m, ok := sel["matchLabels"].(map[string]any); ok && m[c.Label.Key] == c.Label.Value {
		m[c.Label.Key] = c.Label.Of(c.Role)
	}
	exprs, _ := sel["matchExpressions"].([]any)
	for _, e := range exprs {
		m, _ := e.(map[string]any)
		values, _ := m["values"].([]any)
		if m["key"] != c.Label.Key {
			continue
		}
		for i := range values {
			if values[i] == c.Label.Value {
				values[i] = c.Label.Of(c.Role)
			}
		}
	}
}

func (c Clone) mark(labels map[string]string) map[string]string {
	labels[v1beta1.CanaryLabel] = v1beta1.LabelValue(c.Canary.Name)
	labels[v1beta1.RoleLabel] = c.Role
	return labels
}

// Refusals lists why two revisions of the target could not stand side by side.
func Refusals(target *appsv1.Deployment) []string {
	var out []string
	if target.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		out = append(out, "its strategy is Recreate: set spec.strategy.type to RollingUpdate")
	}
	for _, v := range target.Spec.Template.Spec.Volumes {
		if v.PersistentVolumeClaim != nil && !v.PersistentVolumeClaim.ReadOnly {
			out = append(out, fmt.Sprintf("volume %s mounts PersistentVolumeClaim %s for writing: both revisions would write to it", v.Name, v.PersistentVolumeClaim.ClaimName))
		}
	}
	for _, c := range target.Spec.Template.Spec.Containers {
		for _, p := range c.Ports {
			if p.HostPort != 0 {
				out = append(out, fmt.Sprintf("container %s takes host port %d: two revisions cannot share a node", c.Name, p.HostPort))
			}
		}
	}
	return out
}

// Trouble is why a Deployment's pods do not come up, in the cluster's words.
func Trouble(d *appsv1.Deployment) string {
	var out []string
	for _, c := range d.Status.Conditions {
		failing := c.Type == appsv1.DeploymentReplicaFailure && c.Status == "True"
		late := c.Type == appsv1.DeploymentProgressing && c.Status == "False"
		if failing || late {
			out = append(out, c.Message)
		}
	}
	return strings.Join(out, "; ")
}

// Replicas of a Deployment; an unset count is one.
func Replicas(d *appsv1.Deployment) int32 { return ptr.Deref(d.Spec.Replicas, 1) }

func stringMap(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}
