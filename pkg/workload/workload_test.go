package workload

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/serin-dev/serin/apis/v1beta1"
)

func makeCanary(edits ...func(*v1beta1.Canary)) *v1beta1.Canary {
	c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: "podinfo"}}
	c.Spec.TargetRef = v1beta1.LocalObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "podinfo"}
	c.Spec.Service.Port = 9898
	for _, edit := range edits {
		edit(c)
	}
	return c
}

func makeTarget(edits ...func(*appsv1.Deployment)) Object { return Of(makeDeployment(edits...)) }

func makeDeployment(edits ...func(*appsv1.Deployment)) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: "podinfo"}}
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "podinfo", "tier": "web"}}
	d.Spec.Template.Labels = map[string]string{"app": "podinfo", "tier": "web", "version": "6"}
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "podinfod", Image: "podinfo:6.0.0",
		Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 9898, Protocol: corev1.ProtocolTCP}}}}
	for _, edit := range edits {
		edit(d)
	}
	return d
}

func TestFindSelectorLabel(t *testing.T) {
	for sentence, test := range map[string]struct {
		target     Object
		candidates []string
		want       SelectorLabel
		found      bool
	}{
		"the first candidate that selects wins":           {makeTarget(), []string{"name", "tier", "app"}, SelectorLabel{"tier", "web"}, true},
		"no candidate selects":                            {makeTarget(), []string{"name"}, SelectorLabel{}, false},
		"a label that only the pods have does not select": {makeTarget(), []string{"version"}, SelectorLabel{}, false},
		"there is no selector":                            {makeTarget(func(d *appsv1.Deployment) { d.Spec.Selector = nil }), []string{"app"}, SelectorLabel{}, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, found := FindSelectorLabel(test.target, test.candidates)
			if got != test.want || found != test.found {
				t.Errorf("got %v %t, want %v %t", got, found, test.want, test.found)
			}
		})
	}
}

// template is a snapshot with everything that selects these pods, as the API server stores it.
const template = `{"metadata":{"labels":{"app":"podinfo","tier":"web"}},"spec":{
	"affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[
		{"topologyKey":"host","labelSelector":{"matchLabels":{"app":"podinfo"}}},
		{"topologyKey":"zone","labelSelector":{"matchExpressions":[{"key":"app","operator":"In","values":["podinfo","other"]}]}}]}},
	"topologySpreadConstraints":[
		{"topologyKey":"zone","labelSelector":{"matchLabels":{"app":"podinfo"}}},
		{"topologyKey":"zone","labelSelector":{"matchLabels":{"app":"other"}}}],
	"fieldOfANewerServer":{"kept":true},
	"containers":[{"name":"podinfod","image":"podinfo:6.0.0"}]}}`

const rendered = `{"metadata":{"labels":{"app":"podinfo-canary","tier":"web",
		"serin.dev/canary":"podinfo","serin.dev/role":"canary","serin.dev/revision":"podinfo-abc"}},"spec":{
	"affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[
		{"topologyKey":"host","labelSelector":{"matchLabels":{"app":"podinfo-canary"}}},
		{"topologyKey":"zone","labelSelector":{"matchExpressions":[{"key":"app","operator":"In","values":["podinfo-canary","other"]}]}}]}},
	"topologySpreadConstraints":[
		{"topologyKey":"zone","labelSelector":{"matchLabels":{"app":"podinfo-canary"}}},
		{"topologyKey":"zone","labelSelector":{"matchLabels":{"app":"other"}}}],
	"fieldOfANewerServer":{"kept":true},
	"containers":[{"name":"podinfod","image":"podinfo:6.0.0"}]}}`

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func makeClone(t *testing.T, target Object) Clone {
	t.Helper()
	return Clone{Canary: makeCanary(), Target: target, Label: SelectorLabel{"app", "podinfo"}, Role: v1beta1.RoleCanary,
		Revision: "podinfo-abc", Template: object(t, template), Replicas: 3, Stamp: 7}
}

// TestPodTemplate: rules that keep the application's pods apart follow the rewritten label, rules
// about others stay, and so do fields that this release does not know.
func TestPodTemplate(t *testing.T) {
	c := makeClone(t, makeTarget())
	if diff := cmp.Diff(object(t, rendered), c.PodTemplate()); diff != "" {
		t.Errorf("template (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(object(t, template), c.Template); diff != "" {
		t.Errorf("the snapshot itself was changed (-want +got):\n%s", diff)
	}
}

func TestTheCloneOfADeployment(t *testing.T) {
	target := makeTarget(func(d *appsv1.Deployment) {
		d.Labels = map[string]string{"app": "podinfo", "app.kubernetes.io/instance": "shop", "helm.sh/chart": "x", "team": "shop"}
		d.Annotations = map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{}", "contact": "shop",
			"serin.dev/original-replicas": "2", "deployment.kubernetes.io/revision": "4"}
		d.OwnerReferences = []metav1.OwnerReference{{Kind: "Application", Name: "shop"}}
		d.Spec.MinReadySeconds = 5
	})
	u := makeClone(t, target).Object()
	want := map[string]any{"name": "podinfo-canary", "namespace": "apps",
		"labels":      map[string]any{"app": "podinfo-canary", "team": "shop", "serin.dev/canary": "podinfo", "serin.dev/role": "canary"},
		"annotations": map[string]any{"contact": "shop", "serin.dev/revision": "podinfo-abc", "serin.dev/transition": "7"}}
	if diff := cmp.Diff(want, u.Object["metadata"]); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	spec := u.Object["spec"].(map[string]any)
	delete(spec, "template")
	wantSpec := map[string]any{"replicas": int64(3), "minReadySeconds": int64(5),
		"selector": map[string]any{"matchLabels": map[string]any{"app": "podinfo-canary", "tier": "web"}},
		"strategy": map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"maxUnavailable": int64(0), "maxSurge": "25%"}}}
	if diff := cmp.Diff(wantSpec, spec); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
}

// TestStrategy: whatever the user's says, the clones never have fewer pods while they roll.
func TestStrategy(t *testing.T) {
	for sentence, test := range map[string]struct {
		surge *intstr.IntOrString
		want  any
	}{
		"none is the default":         {nil, "25%"},
		"a share is kept":             {ptr.To(intstr.FromString("50%")), "50%"},
		"a number is kept":            {ptr.To(intstr.FromInt32(2)), int64(2)},
		"no pod more would block":     {ptr.To(intstr.FromInt32(0)), "25%"},
		"a share of none would block": {ptr.To(intstr.FromString("0%")), "25%"},
	} {
		t.Run(sentence, func(t *testing.T) {
			target := makeTarget(func(d *appsv1.Deployment) {
				d.Spec.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{MaxSurge: test.surge, MaxUnavailable: ptr.To(intstr.FromString("100%"))}
			})
			want := map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"maxUnavailable": int64(0), "maxSurge": test.want}}
			field, got := target.pace()
			if diff := cmp.Diff(want, got); diff != "" || field != "strategy" {
				t.Errorf("strategy (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	claim := func(readOnly bool) func(*appsv1.Deployment) {
		return func(d *appsv1.Deployment) {
			d.Spec.Template.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "disk", ReadOnly: readOnly}}}}
		}
	}
	for sentence, test := range map[string]struct {
		target Object
		want   []string
	}{
		"nothing stands in the way":  {makeTarget(), nil},
		"a claim that is only read":  {makeTarget(claim(true)), nil},
		"a claim that is written to": {makeTarget(claim(false)), []string{"volume data mounts PersistentVolumeClaim disk for writing: both revisions would write to it"}},
		"a strategy that stops first": {makeTarget(func(d *appsv1.Deployment) { d.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType }),
			[]string{"its strategy is Recreate: set spec.strategy.type to RollingUpdate"}},
		"a port of the node's": {makeTarget(func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Ports[0].HostPort = 80 }),
			[]string{"container podinfod takes host port 80: two revisions cannot share a node"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			if diff := cmp.Diff(test.want, Refusals(test.target)); diff != "" {
				t.Errorf("refusals (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTrouble(t *testing.T) {
	d := makeDeployment()
	d.Status.Conditions = []appsv1.DeploymentCondition{
		{Type: appsv1.DeploymentAvailable, Status: "False", Message: "no minimum"},
		{Type: appsv1.DeploymentReplicaFailure, Status: "True", Message: "exceeded quota"},
		{Type: appsv1.DeploymentProgressing, Status: "False", Message: "timed out"},
	}
	if got, want := Of(d).Trouble(), "exceeded quota; timed out"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
