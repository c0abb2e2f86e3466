package canary_test

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/apitest/podinfo"
)

func (w *world) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: w.ns, Name: name}
}

// deployment is podinfo with two pods and the marks of everybody who may track it.
func (w *world) deployment(image string) *appsv1.Deployment {
	d := podinfo.Deployment(w.ns, image)
	d.Labels = map[string]string{"app": "podinfo", "team": "shop", "app.kubernetes.io/instance": "shop",
		"kustomize.toolkit.fluxcd.io/name": "apps", "helm.sh/chart": "podinfo-6.0.0"}
	d.Annotations = map[string]string{"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:podinfo",
		"meta.helm.sh/release-name": "podinfo", "contact": "shop@example.com"}
	d.Spec.Template.Labels["app.kubernetes.io/instance"] = "shop"
	return d
}

func (w *world) service() *corev1.Service { return podinfo.Service(w.ns) }

func (w *world) canary(edits ...func(*v1beta1.Canary)) *v1beta1.Canary {
	return podinfo.Canary(w.ns, edits...)
}

func (w *world) autoscaler() *autoscalingv2.HorizontalPodAutoscaler {
	return &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: w.meta("podinfo"), Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "podinfo"},
		MinReplicas:    ptr.To(int32(1)), MaxReplicas: 10,
		Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.ResourceMetricSourceType, Resource: &autoscalingv2.ResourceMetricSource{
			Name: corev1.ResourceCPU, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: ptr.To(int32(80))}}}},
	}}
}

// story is what the canary's journal and conditions say, for a failed test's reader.
func (w *world) story() string {
	c := &v1beta1.Canary{}
	if !w.find("podinfo", c) {
		return "there is no Canary"
	}
	var b strings.Builder
	for _, e := range c.Status.Journal {
		fmt.Fprintf(&b, "%s %3d %s: %s. %s. %s\n", e.At.Format("15:04:05"), e.Transition, e.Reason, e.What, e.Why, e.Next)
	}
	for _, cond := range c.Status.Conditions {
		fmt.Fprintf(&b, "%s=%s %s: %s\n", cond.Type, cond.Status, cond.Reason, cond.Message)
	}
	fmt.Fprintf(&b, "phase %q weight %s told %d of %d, rollout %+v", c.Status.Phase, c.Status.CanaryWeight, c.Status.Told, c.Status.Transition, c.Status.Rollout)
	return b.String()
}

func (w *world) key() types.NamespacedName {
	return types.NamespacedName{Namespace: w.ns, Name: "podinfo"}
}
