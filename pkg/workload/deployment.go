package workload

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

type deployment struct{ *appsv1.Deployment }

func (d deployment) Raw() client.Object                { return d.Deployment }
func (d deployment) Kind() string                      { return KindDeployment }
func (d deployment) Selector() *metav1.LabelSelector   { return d.Spec.Selector }
func (d deployment) Template() *corev1.PodTemplateSpec { return &d.Spec.Template }
func (d deployment) Replicas() int32                   { return ptr.Deref(d.Spec.Replicas, 1) }
func (d deployment) Sized(replicas int32) bool         { return d.Replicas() == replicas }
func (d deployment) Emptying() *Emptying               { return nil }
func (d deployment) Filling() *Change                  { return nil }
func (d deployment) SizeField() string                 { return "spec.replicas" }

func (d deployment) Counts() Counts {
	s := d.Status
	return Counts{Pods: s.Replicas, Updated: s.UpdatedReplicas, Available: s.AvailableReplicas,
		Synced: s.ObservedGeneration >= d.Generation}
}

func (d deployment) Trouble() string {
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

func (d deployment) unfit() []string {
	if d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		return []string{"its strategy is Recreate: set spec.strategy.type to RollingUpdate"}
	}
	return nil
}

func (d deployment) pace() (string, map[string]any) {
	surge := any("25%")
	if ru := d.Spec.Strategy.RollingUpdate; ru != nil {
		surge = surgeOr(ru.MaxSurge, surge)
	}
	return "strategy", rolling(surge)
}

func (d deployment) rest(spec map[string]any) {
	if v := d.Spec.MinReadySeconds; v > 0 {
		spec["minReadySeconds"] = int64(v)
	}
	if v := d.Spec.ProgressDeadlineSeconds; v != nil {
		spec["progressDeadlineSeconds"] = int64(*v)
	}
	if v := d.Spec.RevisionHistoryLimit; v != nil {
		spec["revisionHistoryLimit"] = int64(*v)
	}
}

func (d deployment) size(_ map[string]string, replicas int32) ([]string, any) {
	return []string{"replicas"}, int64(replicas)
}

// rolling replaces pods without ever being fewer: nothing is unavailable, at least one is extra.
func rolling(surge any) map[string]any {
	return map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"maxUnavailable": int64(0), "maxSurge": surge}}
}

// surgeOr is the user's surge, or the fallback where it would let no pod start.
func surgeOr(surge *intstr.IntOrString, fallback any) any {
	switch {
	case surge == nil || surge.String() == "0" || surge.String() == "0%":
		return fallback
	case surge.Type == intstr.Int:
		return int64(surge.IntVal)
	default:
		return surge.StrVal
	}
}
