package workload

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// Autoscaler renders the primary's copy of the target's HorizontalPodAutoscaler. floor keeps it
// from shrinking the primary while part of the traffic is elsewhere; 0 is none.
func Autoscaler(c *v1beta1.Canary, source *autoscalingv2.HorizontalPodAutoscaler, primary string, floor int32) *autoscalingv2.HorizontalPodAutoscaler {
	labels := withoutMarks(source.Labels)
	labels[v1beta1.CanaryLabel] = v1beta1.LabelValue(c.Name)
	annotations := copied(source.Annotations) // adapters of metrics are told by them what to count
	annotations[v1beta1.MadeForAnnotation] = c.Name
	hpa := &autoscalingv2.HorizontalPodAutoscaler{
		TypeMeta: metav1.TypeMeta{APIVersion: "autoscaling/v2", Kind: "HorizontalPodAutoscaler"},
		ObjectMeta: metav1.ObjectMeta{Namespace: source.Namespace, Name: source.Name + "-" + v1beta1.RolePrimary, Labels: labels,
			Annotations: annotations},
		Spec: *source.Spec.DeepCopy(),
	}
	hpa.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: primary}
	if r := c.Spec.AutoscalerRef.PrimaryScalerReplicas; r != nil {
		if r.MinReplicas != nil {
			hpa.Spec.MinReplicas = r.MinReplicas
		}
		if r.MaxReplicas != nil {
			hpa.Spec.MaxReplicas = *r.MaxReplicas
		}
	}
	if floor = min(floor, hpa.Spec.MaxReplicas); floor > ptr.Deref(hpa.Spec.MinReplicas, 1) {
		hpa.Spec.MinReplicas = new(floor)
	}
	return hpa
}

// SameAutoscaler is true when a live autoscaler has all that was rendered.
func SameAutoscaler(live, want *autoscalingv2.HorizontalPodAutoscaler) bool {
	return contains(live.Labels, want.Labels) && contains(live.Annotations, want.Annotations) &&
		equality.Semantic.DeepEqual(live.Spec, want.Spec)
}
