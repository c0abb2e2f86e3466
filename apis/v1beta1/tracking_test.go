package v1beta1_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/apis/v1beta1"
)

func TestUntracked(t *testing.T) {
	got := v1beta1.Untracked(map[string]string{
		"app.kubernetes.io/instance":               "x",
		"app.kubernetes.io/managed-by":             "Helm",
		"app.kubernetes.io/name":                   "podinfo",
		"argocd.argoproj.io/tracking-id":           "x",
		"kustomize.toolkit.fluxcd.io/name":         "x",
		"helm.toolkit.fluxcd.io/name":              "x",
		"meta.helm.sh/release-name":                "x",
		"helm.sh/chart":                            "x",
		"helm.sh.example.com/chart":                "kept",
		"app.kubernetes.io/instance-of-some-thing": "kept",
	})
	want := map[string]string{
		"app.kubernetes.io/name":                   "podinfo",
		"helm.sh.example.com/chart":                "kept",
		"app.kubernetes.io/instance-of-some-thing": "kept",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
