package canary_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// configured is podinfo with a volume of a ConfigMap, an environment of a Secret and an init container
// that reads both.
func (w *world) configured(edits ...func(*appsv1.Deployment)) *appsv1.Deployment {
	d := w.deployment("podinfo:6.0.0")
	spec := &d.Spec.Template.Spec
	spec.Volumes = []corev1.Volume{{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: "podinfo-config"}}}}}
	spec.Containers[0].Env = []corev1.EnvVar{{Name: "TOKEN", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: "podinfo-token"}, Key: "token"}}}}
	for _, edit := range edits {
		edit(d)
	}
	return d
}

func (w *world) configMap(name, content string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: w.meta(name), Data: map[string]string{"config.yaml": content}, BinaryData: map[string][]byte{"logo": {0xff, 0}}}
}

func (w *world) secret(name, content string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: w.meta(name), StringData: map[string]string{"token": content}}
}

// configure writes other contents into the ConfigMap.
func (w *world) configure(content string) {
	w.t.Helper()
	alter(w, "podinfo-config", &corev1.ConfigMap{}, func(c *corev1.ConfigMap) { c.Data["config.yaml"] = content })
}

// adoptedWith is a world whose configured podinfo an operator has adopted.
func adoptedWith(t *testing.T, start func(*world)) (*world, *operator) {
	t.Helper()
	w := newWorld(t)
	if start != nil {
		start(w)
	}
	w.create(w.configMap("podinfo-config", "color: blue"), w.secret("podinfo-token", "s3cr3t"), w.configured(), w.service(), w.canary())
	op := w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	return w, op
}

// mounted are the names that a clone's template refers to.
func (w *world) mounted(clone string) (config, token string) {
	w.t.Helper()
	spec := w.deploymentNamed(clone).Spec.Template.Spec
	return spec.Volumes[0].ConfigMap.Name, spec.Containers[0].Env[0].ValueFrom.SecretKeyRef.Name
}

// contents of the ConfigMap that a clone mounts.
func (w *world) contents(clone string) string {
	w.t.Helper()
	name, _ := w.mounted(clone)
	var c corev1.ConfigMap
	w.read(name, &c)
	return c.Data["config.yaml"]
}

// TestAChangeOfAConfigMapIsARollout: the canary alone runs with it until it is promoted.
func TestAChangeOfAConfigMapIsARollout(t *testing.T) {
	w, _ := adoptedWith(t, nil)
	w.edit(func(c *v1beta1.Canary) { c.Spec.Analysis.Interval = "10s" }) // time to look at both sides
	w.configure("color: red")
	w.takesWeight(50)
	if got, want := w.contents("podinfo-canary"), "color: red"; got != want {
		t.Errorf("the canary runs with %s, want %s", got, want)
	}
	if got, want := w.contents("podinfo-primary"), "color: blue"; got != want {
		t.Errorf("the primary runs with %s under analysis, want %s", got, want)
	}
	c := w.ends(1)
	if c.Status.Phase != v1beta1.PhaseSucceeded || w.contents("podinfo-primary") != "color: red" {
		t.Errorf("ended as %s with %s on the primary\n%s", c.Status.Phase, w.contents("podinfo-primary"), w.story())
	}
	a, _ := w.mounted("podinfo-primary")
	b, _ := w.mounted("podinfo-canary")
	if a != b {
		t.Errorf("primary and canary of one revision mount %s and %s", a, b)
	}
	i := slices.IndexFunc(c.Status.Journal, func(e v1beta1.JournalEntry) bool { return e.Reason == "NewRevision" })
	if got, want := c.Status.Journal[i].Why, "ConfigMap podinfo-config changed"; got != want {
		t.Errorf("why a rollout: %q, want %q", got, want)
	}
}

// TestARollbackKeepsTheContentsThatServe: Flagger had overwritten them by then.
func TestARollbackKeepsTheContentsThatServe(t *testing.T) {
	w, _ := adoptedWith(t, nil)
	w.prom.succeed(96.2)
	w.configure("color: red")
	c := w.ends(1)
	if c.Status.Phase != v1beta1.PhaseFailed || w.contents("podinfo-primary") != "color: blue" {
		t.Errorf("ended as %s with %s on the primary\n%s", c.Status.Phase, w.contents("podinfo-primary"), w.story())
	}
	w.configure("color: blue")
	w.eventually("putting the contents back lets go of the rejected revision", func() bool {
		s := w.get().Status
		return s.Rejected == "" && s.Phase == v1beta1.PhaseInitialized
	})
	if n := len(w.get().Status.History); n != 1 {
		t.Errorf("%d rollouts, want 1\n%s", n, w.story())
	}
}

// TestACopyIsImmutableAndWhole: binary contents too.
func TestACopyIsImmutableAndWhole(t *testing.T) {
	w, _ := adoptedWith(t, nil)
	name, token := w.mounted("podinfo-primary")
	var got corev1.ConfigMap
	w.read(name, &got)
	want := w.configMap("podinfo-config", "color: blue")
	if diff := cmp.Diff(want.Data, got.Data); diff != "" || got.Immutable == nil || !*got.Immutable {
		t.Errorf("immutable %v, contents (-want +got):\n%s", got.Immutable, diff)
	}
	if diff := cmp.Diff(want.BinaryData, got.BinaryData); diff != "" {
		t.Errorf("binary contents (-want +got):\n%s", diff)
	}
	if token != "podinfo-token" {
		t.Errorf("a Secret that may not be read became %s", token)
	}
	w.says(v1beta1.ConditionWarning, "SecretsNotTracked", "Secret podinfo-token", "namespace "+w.ns)
}

// says holds a condition against what it must tell.
func (w *world) says(kind, reason string, parts ...string) {
	w.t.Helper()
	w.eventually(reason+" is said", func() bool {
		for _, c := range w.get().Status.Conditions {
			if c.Type == kind && c.Reason == reason {
				return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(c.Message, p) })
			}
		}
		return false
	})
}

// TestContentsThatSupersedeAreNamed: the images on both sides are the same, and what is promoted may
// have the contents already.
func TestContentsThatSupersedeAreNamed(t *testing.T) {
	w, _ := adoptedWith(t, nil)
	w.edit(func(c *v1beta1.Canary) { c.Spec.Analysis.Interval = "60s" })
	w.setImage("podinfo:6.0.1")
	w.takesWeight(50)
	for n, content := range []string{"color: red", "color: blue"} {
		w.configure(content)
		w.eventually("the next one is under way", func() bool {
			s := w.get().Status
			return len(s.History) == n+1 && s.Rollout.EndedAt == nil && s.CanaryWeight > 0
		})
		last := w.get().Status.History[n]
		if want := "ConfigMap podinfo-config changed before podinfo:6.0.1 was promoted"; last.Outcome != v1beta1.OutcomeSuperseded || last.Message != want {
			t.Errorf("%s: %s, %q, want %q", content, last.Outcome, last.Message, want)
		}
	}
}
