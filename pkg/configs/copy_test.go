package configs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/serin-dev/serin/apis/v1beta1"
)

func configMap(data map[string]string, binary map[string][]byte) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "config"}, Data: data, BinaryData: binary}
}

// TestHashIsTheSameInEveryRelease: another value would be another revision of every canary with the
// next change of anything.
func TestHashIsTheSameInEveryRelease(t *testing.T) {
	got := Hash([]byte("key"), "podinfo", configMap(map[string]string{"b": "2", "a": "1"}, map[string][]byte{"c": {3}}))
	if want := "0b4a4b2e86"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestHashTellsContentsApart(t *testing.T) {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "config"}, Data: map[string][]byte{"a": []byte("1")}}
	other := configMap(map[string]string{"a": "1"}, nil)
	other.Name = "other"
	hashes := map[string]string{}
	for sentence, hash := range map[string]string{
		"plain":                   Hash(nil, "podinfo", configMap(map[string]string{"a": "1"}, nil)),
		"another value":           Hash(nil, "podinfo", configMap(map[string]string{"a": "2"}, nil)),
		"another key":             Hash(nil, "podinfo", configMap(map[string]string{"b": "1"}, nil)),
		"moved from key to value": Hash(nil, "podinfo", configMap(map[string]string{"a1": ""}, nil)),
		"binary":                  Hash(nil, "podinfo", configMap(nil, map[string][]byte{"a": []byte("1")})),
		"another canary":          Hash(nil, "backend", configMap(map[string]string{"a": "1"}, nil)),
		"a Secret":                Hash(nil, "podinfo", secret),
		"another name":            Hash(nil, "podinfo", other),
		"with a key":              Hash([]byte("key"), "podinfo", configMap(map[string]string{"a": "1"}, nil)),
	} {
		if before, taken := hashes[hash]; taken {
			t.Errorf("%s has the hash of %s", sentence, before)
		}
		hashes[hash] = sentence
	}
	if Hash(nil, "podinfo", configMap(nil, nil)) != Hash(nil, "podinfo", configMap(map[string]string{}, map[string][]byte{})) {
		t.Error("an empty map is another content than none")
	}
}

// TestCopiesOfLongNamesHaveNames that the API server takes.
func TestCopiesOfLongNamesHaveNames(t *testing.T) {
	for _, name := range []string{"config", strings.Repeat("a", 253), strings.Repeat("a", 241) + "." + strings.Repeat("b", 11)} {
		got := CopyName(name, "0123456789")
		if errs := validation.IsDNS1123Subdomain(got); len(errs) > 0 || !strings.HasSuffix(got, "-0123456789") {
			t.Errorf("%s becomes %s: %v", name, got, errs)
		}
	}
}

// TestACopyHasTheContentsAndNothingElse: marks of GitOps tools would have it pruned.
func TestACopyHasTheContentsAndNothingElse(t *testing.T) {
	c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "podinfo"}}
	immutable := true
	meta := metav1.ObjectMeta{Namespace: "shop", Name: "config-1", Labels: map[string]string{v1beta1.CanaryLabel: "podinfo"},
		Annotations: map[string]string{CopyOfAnnotation: "config"}}
	from := configMap(map[string]string{"a": "1"}, map[string][]byte{"b": {2}})
	from.Labels = map[string]string{"app.kubernetes.io/instance": "shop"}
	from.OwnerReferences = []metav1.OwnerReference{{Name: "x"}}
	want := &corev1.ConfigMap{ObjectMeta: meta, Data: from.Data, BinaryData: from.BinaryData, Immutable: &immutable}
	if diff := cmp.Diff(want, Copy(c, from, "config-1")); diff != "" {
		t.Errorf("ConfigMap (-want +got):\n%s", diff)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "config"}, Type: corev1.SecretTypeBasicAuth, Data: map[string][]byte{"password": []byte("x")}}
	wanted := &corev1.Secret{ObjectMeta: meta, Type: corev1.SecretTypeBasicAuth, Data: secret.Data, Immutable: &immutable}
	if diff := cmp.Diff(wanted, Copy(c, secret, "config-1")); diff != "" {
		t.Errorf("Secret (-want +got):\n%s", diff)
	}
}

func TestWhatStaysLive(t *testing.T) {
	annotated := func(key, value string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: "x", Annotations: map[string]string{key: value}}
	}
	for sentence, test := range map[string]struct {
		in   corev1.Secret
		want bool
	}{
		"of no type":                     {corev1.Secret{}, false},
		"opaque":                         {corev1.Secret{Type: corev1.SecretTypeOpaque}, false},
		"a password":                     {corev1.Secret{Type: corev1.SecretTypeBasicAuth}, false},
		"an SSH key":                     {corev1.Secret{Type: corev1.SecretTypeSSHAuth}, false},
		"a certificate":                  {corev1.Secret{Type: corev1.SecretTypeTLS}, true},
		"a certificate, opted in":        {corev1.Secret{Type: corev1.SecretTypeTLS, ObjectMeta: annotated(TrackingAnnotation, "enabled")}, false},
		"a token":                        {corev1.Secret{Type: corev1.SecretTypeServiceAccountToken, ObjectMeta: annotated(TrackingAnnotation, "enabled")}, true},
		"a pull secret":                  {corev1.Secret{Type: corev1.SecretTypeDockerConfigJson}, true},
		"issued by cert-manager":         {corev1.Secret{ObjectMeta: annotated(certificateAnnotation, "x")}, true},
		"opted out":                      {corev1.Secret{ObjectMeta: annotated(TrackingAnnotation, "disabled")}, true},
		"opted out as Flagger has it":    {corev1.Secret{ObjectMeta: annotated(flaggerAnnotation, "disable")}, true},
		"Flagger's other value":          {corev1.Secret{ObjectMeta: annotated(flaggerAnnotation, "enabled")}, false},
		"the cluster's authority":        {corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: clusterCA}}, true},
		"a bundle of authorities":        {corev1.Secret{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{bundleLabel: "x"}}}, true},
		"a type of somebody's own":       {corev1.Secret{Type: "example.com/settings"}, true},
		"a type of one's own, opted in ": {corev1.Secret{Type: "example.com/settings", ObjectMeta: annotated(TrackingAnnotation, "enabled")}, false},
	} {
		if got := LiveSecret(&test.in); got != test.want {
			t.Errorf("%s: live %t, want %t", sentence, got, test.want)
		}
	}
}
