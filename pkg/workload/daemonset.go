package workload

import (
	"encoding/json"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// zeroKeys in a node selector keep a DaemonSet's pods away: ours, and the one that Flagger leaves on
// a target.
var zeroKeys = []string{v1beta1.ScaleToZeroKey, "flagger.app/scale-to-zero"}

type daemonSet struct{ *appsv1.DaemonSet }

func (d daemonSet) Raw() client.Object              { return d.DaemonSet }
func (d daemonSet) Kind() string                    { return KindDaemonSet }
func (d daemonSet) Selector() *metav1.LabelSelector { return d.Spec.Selector }
func (d daemonSet) SizeField() string               { return "spec.template.spec.nodeSelector" }
func (d daemonSet) Sized(replicas int32) bool       { return d.empty() == (replicas == 0) }

func (d daemonSet) Template() *corev1.PodTemplateSpec {
	if !d.empty() {
		return &d.Spec.Template
	}
	t := d.Spec.Template.DeepCopy()
	maps.DeleteFunc(t.Spec.NodeSelector, func(k, _ string) bool { return slices.Contains(zeroKeys, k) })
	if len(t.Spec.NodeSelector) == 0 {
		t.Spec.NodeSelector = nil
	}
	return t
}

// Restore takes from a pod template, as the API server stored it, what keeps the pods away: an
// emptied DaemonSet holds the same revision as before.
func Restore(template map[string]any) {
	nodes, found, err := unstructured.NestedMap(template, "spec", "nodeSelector")
	if !found || err != nil {
		return
	}
	maps.DeleteFunc(nodes, func(k string, _ any) bool { return slices.Contains(zeroKeys, k) })
	if len(nodes) == 0 {
		unstructured.RemoveNestedField(template, "spec", "nodeSelector")
		return
	}
	_ = unstructured.SetNestedMap(template, nodes, "spec", "nodeSelector")
}

func (d daemonSet) empty() bool {
	return slices.ContainsFunc(zeroKeys, func(key string) bool {
		_, ok := d.Spec.Template.Spec.NodeSelector[key]
		return ok
	})
}

func (d daemonSet) Replicas() int32 {
	if d.empty() {
		return 0
	}
	return max(d.Status.DesiredNumberScheduled, 1)
}

// Counts: on a node that has a pod of each template, the cluster counts the older one.
func (d daemonSet) Counts() Counts {
	s := d.Status
	return Counts{Pods: s.CurrentNumberScheduled, Updated: s.UpdatedNumberScheduled, Available: s.NumberAvailable,
		Synced: s.ObservedGeneration >= d.Generation}
}

// Trouble is empty: a DaemonSet reports none.
func (d daemonSet) Trouble() string { return "" }

func (d daemonSet) Emptying() *Emptying {
	original, err := json.Marshal(d.Template().Spec.NodeSelector)
	if err != nil { // a map of strings always encodes
		panic(err)
	}
	return &Emptying{
		Spec: map[string]any{"template": map[string]any{"spec": map[string]any{
			"nodeSelector": map[string]any{v1beta1.ScaleToZeroKey: "true"}}}},
		Annotation: v1beta1.OriginalNodeSelectorAnnotation, Original: string(original),
	}
}

// Filling gives the pods the nodes again that they had.
func (d daemonSet) Filling() *Change {
	nodes := d.Template().Spec.NodeSelector
	if nodes == nil {
		nodes = map[string]string{}
	}
	return &Change{Op: "replace", Path: "/spec/template/spec/nodeSelector", Value: nodes}
}

func (d daemonSet) unfit() []string {
	if d.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType {
		return []string{"its update strategy is OnDelete: set spec.updateStrategy.type to RollingUpdate"}
	}
	return nil
}

func (d daemonSet) pace() (string, map[string]any) {
	surge := any(int64(1))
	if ru := d.Spec.UpdateStrategy.RollingUpdate; ru != nil {
		surge = surgeOr(ru.MaxSurge, surge)
	}
	return "updateStrategy", rolling(surge)
}

func (d daemonSet) rest(spec map[string]any) {
	if v := d.Spec.MinReadySeconds; v > 0 {
		spec["minReadySeconds"] = int64(v)
	}
	if v := d.Spec.RevisionHistoryLimit; v != nil {
		spec["revisionHistoryLimit"] = int64(*v)
	}
}

func (d daemonSet) size(nodes map[string]string, replicas int32) ([]string, any) {
	selector := map[string]any{}
	for k, v := range nodes {
		if !slices.Contains(zeroKeys, k) {
			selector[k] = v
		}
	}
	if replicas == 0 {
		selector[v1beta1.ScaleToZeroKey] = "true"
	}
	return []string{"template", "spec", "nodeSelector"}, selector
}
