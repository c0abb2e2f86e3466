package bare

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router/gloo/api"
)

// App is an application with a Canary: a Deployment of image app:1 that reads a ConfigMap, its Service
// and its route.
type App struct {
	// Namespace that it is in; Namespace of this package unless set.
	Namespace, Name string
	Pods            int32
	// Interval between the checks, of which each allows one of Steps.
	Interval time.Duration
	Steps    []int32
}

func (a App) objects() []client.Object {
	meta := metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Name}
	labels := map[string]string{"app": a.Name}
	settings := &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"color": "blue"}}
	d := &appsv1.Deployment{ObjectMeta: meta}
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	d.Spec.Template.Labels, d.Spec.Replicas = labels, &a.Pods
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "app", Image: "app:1", EnvFrom: []corev1.EnvFromSource{
		{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: a.Name}}}}}}
	svc := &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 80}}}}
	vs := api.New(api.VirtualService)
	vs.SetNamespace(a.Namespace)
	vs.SetName(a.Name)
	vs.Object["spec"] = map[string]any{"virtualHost": map[string]any{"domains": []any{a.Name}, "routes": []any{map[string]any{
		"matchers": []any{map[string]any{"prefix": "/"}}, "delegateAction": map[string]any{"ref": map[string]any{"name": a.Name, "namespace": a.Namespace}},
	}}}}
	return []client.Object{settings, d, svc, vs, a.canary(meta)}
}

func (a App) canary(meta metav1.ObjectMeta) *v1beta1.Canary {
	least := 99.0
	c := &v1beta1.Canary{ObjectMeta: meta}
	c.Spec.TargetRef = v1beta1.LocalObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: a.Name}
	c.Spec.Service.Port = 80
	c.Spec.Analysis = &v1beta1.CanaryAnalysis{Interval: a.Interval.String(), StepWeights: a.Steps, Metrics: []v1beta1.CanaryMetric{
		{Name: v1beta1.MetricSuccessRate, Interval: "1m", ThresholdRange: &v1beta1.ThresholdRange{Min: &least}}}}
	return c
}
