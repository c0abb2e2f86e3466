package revision

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
)

func makeTemplate(image string) *corev1.PodTemplateSpec {
	t := &corev1.PodTemplateSpec{}
	t.Labels = map[string]string{"b": "2", "a": "1"}
	t.Spec.Containers = []corev1.Container{{Name: "app", Image: image}, {Name: "sidecar", Image: "proxy:1"}}
	return t
}

// TestHashIsTheSameInEveryRelease: another value for the same template would start a rollout of
// every canary with the next upgrade.
func TestHashIsTheSameInEveryRelease(t *testing.T) {
	const want = "d182a6af2a"
	if got := Hash(makeTemplate("podinfo:6.0.0")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestHashTellsTemplatesApart(t *testing.T) {
	same := makeTemplate("podinfo:6.0.0")
	same.Annotations = map[string]string{}
	if Hash(same) != Hash(makeTemplate("podinfo:6.0.0")) {
		t.Error("an empty map is another template than none")
	}
	for sentence, change := range map[string]func(*corev1.PodTemplateSpec){
		"an image":      func(t *corev1.PodTemplateSpec) { t.Spec.Containers[0].Image = "podinfo:6.0.1" },
		"a label":       func(t *corev1.PodTemplateSpec) { t.Labels["c"] = "3" },
		"an annotation": func(t *corev1.PodTemplateSpec) { t.Annotations = map[string]string{"restartedAt": "now"} },
		"the order":     func(t *corev1.PodTemplateSpec) { c := t.Spec.Containers; c[0], c[1] = c[1], c[0] },
	} {
		other := makeTemplate("podinfo:6.0.0")
		change(other)
		if Hash(other) == Hash(same) {
			t.Errorf("%s makes no difference", sentence)
		}
	}
}

func TestShortImage(t *testing.T) {
	for image, want := range map[string]string{
		"podinfo":                             "podinfo",
		"podinfo:6.0.0":                       "podinfo:6.0.0",
		"ghcr.io/stefanprodan/podinfo:6.0.0":  "podinfo:6.0.0",
		"registry.example:5000/a/b":           "b",
		"podinfo@sha256:0123456789abcdef":     "podinfo@0123456789ab",
		"a/podinfo:6@sha256:0123456789abcdef": "podinfo:6@0123456789ab",
		"podinfo@sha256:0123":                 "podinfo@0123",
	} {
		if got := ShortImage(image); got != want {
			t.Errorf("%s: got %s, want %s", image, got, want)
		}
	}
}

func TestDescribe(t *testing.T) {
	want := v1beta1.RevisionStatus{Name: "podinfo-abc", Image: "podinfo:6", Images: []string{"ghcr.io/x/podinfo:6", "proxy:1"}}
	if diff := cmp.Diff(want, Describe("podinfo-abc", makeTemplate("ghcr.io/x/podinfo:6"))); diff != "" {
		t.Errorf("description (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(v1beta1.RevisionStatus{Name: "x", Images: []string{}}, Describe("x", &corev1.PodTemplateSpec{})); diff != "" {
		t.Errorf("without containers (-want +got):\n%s", diff)
	}
}

func TestLabelValue(t *testing.T) {
	long := strings.Repeat("a", 51) + "-" + strings.Repeat("b", 40)
	got := v1beta1.LabelValue(long)
	if len(got) > 63 || !strings.HasPrefix(got, strings.Repeat("a", 51)+"-") || strings.Contains(got, "--") {
		t.Errorf("got %s", got)
	}
	if other := v1beta1.LabelValue(long + "c"); other == got {
		t.Error("two long names share a label")
	}
	if got := v1beta1.LabelValue("podinfo"); got != "podinfo" {
		t.Errorf("a short name became %s", got)
	}
}
