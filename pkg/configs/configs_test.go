package configs

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
)

// everything is a template with each way to refer to a ConfigMap or Secret, each name once, and
// references that are none of ours.
func everything() *corev1.PodTemplateSpec {
	ref := func(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }
	t := &corev1.PodTemplateSpec{}
	t.Spec.ImagePullSecrets = []corev1.LocalObjectReference{ref("pull")}
	t.Spec.Volumes = []corev1.Volume{
		{Name: "a", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: ref("volume")}}},
		{Name: "b", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "volume"}}},
		{Name: "c", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: ref("projected")}},
			{Secret: &corev1.SecretProjection{LocalObjectReference: ref("projected")}},
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token"}},
		}}}},
		{Name: "d", VolumeSource: corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{NodePublishSecretRef: &corev1.LocalObjectReference{Name: "driver"}}}},
	}
	container := func(name string) corev1.Container {
		return corev1.Container{Name: name,
			EnvFrom: []corev1.EnvFromSource{
				{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: ref(name + "-all")}},
				{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: ref(name + "-all")}},
			},
			Env: []corev1.EnvVar{
				{Name: "PLAIN", Value: "x"},
				{Name: "FIELD", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}},
				{Name: "KEY", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: ref(name + "-key"), Key: "k"}}},
				{Name: "SECRET", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: ref(name + "-key"), Key: "k"}}},
			}}
	}
	t.Spec.InitContainers, t.Spec.Containers = []corev1.Container{container("init")}, []corev1.Container{container("app")}
	return t
}

var names = []string{"app-all", "app-key", "init-all", "init-key", "projected", "volume"}

func TestFindSeesEveryReference(t *testing.T) {
	var want []Reference
	for _, kind := range []Kind{ConfigMap, Secret} {
		for _, name := range names {
			want = append(want, Reference{ID: ID{kind, name}})
		}
	}
	if diff := cmp.Diff(want, Find(everything())); diff != "" {
		t.Errorf("references (-want +got):\n%s", diff)
	}
}

// TestAReferenceIsOptionalOnlyWhereAllAre: one that is not keeps the pods from starting.
func TestAReferenceIsOptionalOnlyWhereAllAre(t *testing.T) {
	template := func(optional ...*bool) *corev1.PodTemplateSpec {
		t := &corev1.PodTemplateSpec{}
		for _, o := range optional {
			t.Spec.Volumes = append(t.Spec.Volumes, corev1.Volume{VolumeSource: corev1.VolumeSource{
				Secret: &corev1.SecretVolumeSource{SecretName: "x", Optional: o}}})
		}
		return t
	}
	yes, no := ptr.To(true), ptr.To(false)
	for sentence, test := range map[string]struct {
		in   *corev1.PodTemplateSpec
		want bool
	}{
		"unset":             {template(nil), false},
		"optional":          {template(yes), true},
		"optional twice":    {template(yes, yes), true},
		"optional, then no": {template(yes, no), false},
		"no, then optional": {template(nil, yes), false},
	} {
		if got := Find(test.in)[0].Optional; got != test.want {
			t.Errorf("%s: got %t", sentence, got)
		}
	}
}

// TestRewriteTurnsEveryReferenceThatIsFound, and nothing else of the template.
func TestRewriteTurnsEveryReferenceThatIsFound(t *testing.T) {
	raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(everything())
	if err != nil {
		t.Fatal(err)
	}
	before := runtime.DeepCopyJSON(raw)
	copies := map[ID]string{}
	for _, ref := range Find(everything()) {
		copies[ref.ID] = ref.Name + "-copy"
	}
	rewritten := Rewrite(raw, copies)
	if diff := cmp.Diff(before, raw); diff != "" {
		t.Errorf("the snapshot itself was changed (-want +got):\n%s", diff)
	}
	var got corev1.PodTemplateSpec
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(rewritten, &got); err != nil {
		t.Fatal(err)
	}
	for _, ref := range Find(&got) {
		back, ok := copies[ID{ref.Kind, ref.Name[:len(ref.Name)-len("-copy")]}]
		if !ok || back != ref.Name {
			t.Errorf("%s is no copy", ref)
		}
		copies[ID{ref.Kind, ref.Name}] = ref.Name[:len(ref.Name)-len("-copy")]
	}
	if diff := cmp.Diff(before, Rewrite(rewritten, copies)); diff != "" {
		t.Errorf("turned there and back (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, Rewrite(raw, nil)); diff != "" {
		t.Errorf("without copies (-want +got):\n%s", diff)
	}
}
