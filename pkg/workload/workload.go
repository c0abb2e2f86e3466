// Package workload renders the two clones of a target and what stands around them: Deployments or
// DaemonSets, Services, disruption budgets, the primary's autoscaler. It renders and compares; it
// talks to nobody.
package workload

import (
	"fmt"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// SelectorLabel is the one label of the target's selector that is rewritten to tell the clones'
// pods from the target's and from each other.
type SelectorLabel struct{ Key, Value string }

// FindSelectorLabel picks the first of the candidates that the target selects its pods by. It is
// false where there is none: such a target cannot be cloned.
func FindSelectorLabel(target Object, candidates []string) (SelectorLabel, bool) {
	if target.Selector() == nil {
		return SelectorLabel{}, false
	}
	for _, key := range candidates {
		if v, ok := target.Selector().MatchLabels[key]; ok && target.Template().Labels[key] == v {
			return SelectorLabel{Key: key, Value: v}, true
		}
	}
	return SelectorLabel{}, false
}

// Of is the label's value on a role's pods.
func (l SelectorLabel) Of(role string) string { return l.Value + "-" + role }

// Without is the label of the target, read off a role's pods.
func (l SelectorLabel) Without(role string) SelectorLabel {
	return SelectorLabel{Key: l.Key, Value: strings.TrimSuffix(l.Value, "-"+role)}
}

// Selector is the whole selector of a role's pods: the target's, with one label rewritten.
func (l SelectorLabel) Selector(target Object, role string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, target.Selector().MatchLabels)
	out[l.Key] = l.Of(role)
	return out
}

// Clone is what a role's workload is rendered from. It is of the target's kind.
type Clone struct {
	Canary *v1beta1.Canary
	Target Object
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

// Name of the clone.
func (c Clone) Name() string { return c.Target.GetName() + "-" + c.Role }

// Object renders the clone whole, to be created.
func (c Clone) Object() *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetAPIVersion("apps/v1")
	u.SetKind(c.Target.Kind())
	u.SetNamespace(c.Target.GetNamespace())
	u.SetName(c.Name())
	labels := withoutMarks(c.Target.GetLabels())
	if labels[c.Label.Key] == c.Label.Value {
		labels[c.Label.Key] = c.Label.Of(c.Role)
	}
	u.SetLabels(c.mark(labels))
	annotations := withoutMarks(c.Target.GetAnnotations())
	annotations[v1beta1.RevisionAnnotation] = c.Revision
	annotations[v1beta1.TransitionAnnotation] = fmt.Sprint(c.Stamp)
	u.SetAnnotations(annotations)
	u.Object["spec"] = c.spec()
	return u
}

func (c Clone) spec() map[string]any {
	selector := map[string]any{"matchLabels": stringMap(c.Label.Selector(c.Target, c.Role))}
	if exprs := c.Target.Selector().MatchExpressions; len(exprs) > 0 {
		if m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(c.Target.Selector()); err == nil {
			selector["matchExpressions"] = m["matchExpressions"]
		}
	}
	spec := map[string]any{"selector": selector, "template": c.PodTemplate()}
	field, pace := c.Target.pace()
	spec[field] = pace
	c.Target.rest(spec)
	path, size := c.Target.size(nodesOf(c.Template), c.Replicas)
	_ = unstructured.SetNestedField(spec, size, path...)
	return spec
}

// Changes bring a live clone to the template, to the size, or to both. A template is replaced whole,
// so that a field that a revision dropped is dropped.
func (c Clone) Changes(live Object, template, size bool) []Change {
	var changes []Change
	nodes := live.Template().Spec.NodeSelector
	if template {
		field, pace := c.Target.pace()
		changes = append(changes,
			Change{"replace", "/spec/template", c.PodTemplate()},
			Change{"replace", "/spec/" + field, pace})
		nodes = nodesOf(c.Template)
	}
	path, value := c.Target.size(nodes, c.Replicas)
	if size || template && path[0] == "template" { // a size that stands in the template is replaced with it
		changes = append(changes, Change{"add", "/spec/" + strings.Join(path, "/"), value})
	}
	return changes
}

func nodesOf(template map[string]any) map[string]string {
	nodes, _, _ := unstructured.NestedStringMap(template, "spec", "nodeSelector")
	return nodes
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
func Refusals(target Object) []string {
	out := target.unfit()
	t := target.Template()
	for _, v := range t.Spec.Volumes {
		if v.PersistentVolumeClaim != nil && !v.PersistentVolumeClaim.ReadOnly {
			out = append(out, fmt.Sprintf("volume %s mounts PersistentVolumeClaim %s for writing: both revisions would write to it", v.Name, v.PersistentVolumeClaim.ClaimName))
		}
	}
	for _, c := range running(&t.Spec) {
		for _, p := range c.Ports {
			if p.HostPort != 0 {
				out = append(out, fmt.Sprintf("container %s takes host port %d: two revisions cannot share a node", c.Name, p.HostPort))
			}
		}
	}
	return out
}

// running are the containers that run for as long as their pod: the init containers that are
// restarted do.
func running(spec *corev1.PodSpec) []corev1.Container {
	var out []corev1.Container
	for _, c := range spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			out = append(out, c)
		}
	}
	return append(out, spec.Containers...)
}

func stringMap(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}
