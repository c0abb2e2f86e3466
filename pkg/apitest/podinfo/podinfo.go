// Package podinfo is the application that tests roll out: a Deployment of two pods, its Service and a
// Canary with one step of a second and one metric.
package podinfo

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// Name of all three.
const Name = "podinfo"

func meta(namespace string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: Name}
}

// Deployment has two pods of an image.
func Deployment(namespace, image string) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: meta(namespace)}
	d.Labels = map[string]string{"app": Name}
	d.Spec = appsv1.DeploymentSpec{
		Replicas: ptr.To(int32(2)), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": Name}},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": Name}},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "podinfod", Image: image,
				Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 9898}}}}},
		},
	}
	return d
}

// Service selects the Deployment's pods.
func Service(namespace string) *corev1.Service {
	return &corev1.Service{ObjectMeta: meta(namespace), Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": Name}, Ports: []corev1.ServicePort{{Name: "http", Port: 9898}},
	}}
}

// Canary of the Deployment: half of the traffic for a second, judged by the success rate.
func Canary(namespace string, edits ...func(*v1beta1.Canary)) *v1beta1.Canary {
	c := &v1beta1.Canary{ObjectMeta: meta(namespace)}
	c.Spec.TargetRef = v1beta1.LocalObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: Name}
	c.Spec.Service.Port = 9898
	c.Spec.Analysis = &v1beta1.CanaryAnalysis{Interval: "1s", StepWeights: []int32{50},
		Metrics: []v1beta1.CanaryMetric{{Name: v1beta1.MetricSuccessRate, Interval: "30s",
			ThresholdRange: &v1beta1.ThresholdRange{Min: ptr.To(99.0)}}}}
	for _, edit := range edits {
		edit(c)
	}
	return c
}
