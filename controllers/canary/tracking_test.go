package canary_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/configs"
	"github.com/serin-dev/serin/pkg/revision"
)

// tracked are the keys of what the status says is part of the revision.
func (w *world) tracked() []string {
	w.t.Helper()
	var keys []string
	if t := w.get().Status.TrackedConfigs; t != nil {
		for k := range *t {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// again starts an operator in place of another and waits until it tracks what is wanted.
func (w *world) again(op *operator, tracked ...string) *operator {
	w.t.Helper()
	op.stop()
	next := w.operate()
	w.observed(next)
	w.eventually("it tracks", func() bool { return slices.Equal(w.tracked(), tracked) })
	w.observed(next)
	return next
}

// restsWith holds the canary against how it is without a rollout.
func (w *world) restsWith(primary *appsv1.Deployment) {
	w.t.Helper()
	if s := w.get().Status; len(s.History) > 0 || s.Phase != v1beta1.PhaseInitialized {
		w.t.Errorf("a rollout began\n%s", w.story())
	}
	if diff := cmp.Diff(primary.Spec, w.deploymentNamed("podinfo-primary").Spec); diff != "" {
		w.t.Errorf("the primary was touched (-before +after):\n%s", diff)
	}
}

// TestAnUpgradeThatBeginsToTrackStartsNoRollout and restarts no pod: the present contents belong to
// what is promoted. From then on a change is one.
func TestAnUpgradeThatBeginsToTrackStartsNoRollout(t *testing.T) {
	w, op := adoptedWith(t, func(w *world) { w.untracked = true })
	before := w.deploymentNamed("podinfo-primary")
	if name, _ := w.mounted("podinfo-primary"); name != "podinfo-config" {
		t.Fatalf("without tracking the primary mounts %s", name)
	}
	w.untracked = false
	op = w.again(op, "configmap/podinfo-config")
	w.restsWith(before)
	op.stop()
	w.observed(w.operate())
	w.restsWith(before)
	w.configure("color: red")
	if c := w.ends(1); c.Status.Phase != v1beta1.PhaseSucceeded || w.contents("podinfo-primary") != "color: red" {
		t.Errorf("ended as %s\n%s", c.Status.Phase, w.story())
	}
}

// TestARoleForSecretsThatComesLaterStartsNoRollout, nor does one that goes.
func TestARoleForSecretsThatComesLaterStartsNoRollout(t *testing.T) {
	w, op := adoptedWith(t, nil)
	before := w.deploymentNamed("podinfo-primary")
	w.secrets = true
	op = w.again(op, "configmap/podinfo-config", "secret/podinfo-token")
	w.restsWith(before)
	w.secrets = false
	op.stop()
	w.observed(w.operate())
	w.restsWith(before)
}

// TestAChangeOfASecretIsARollout, and nothing that a viewer may read has its contents or a hash that
// could be tried out.
func TestAChangeOfASecretIsARollout(t *testing.T) {
	w, _ := adoptedWith(t, func(w *world) { w.secrets = true })
	alter(w, "podinfo-token", &corev1.Secret{}, func(s *corev1.Secret) { s.Data["token"] = []byte("0th3r") })
	c := w.ends(1)
	_, name := w.mounted("podinfo-primary")
	var got corev1.Secret
	w.read(name, &got)
	if c.Status.Phase != v1beta1.PhaseSucceeded || string(got.Data["token"]) != "0th3r" {
		t.Errorf("ended as %s with %s\n%s", c.Status.Phase, got.Data["token"], w.story())
	}
	var key corev1.Secret
	w.read(revision.KeyName, &key)
	w.read("podinfo-token", &got)
	hash := (*c.Status.TrackedConfigs)["secret/podinfo-token"]
	if hash != configs.Hash(key.Data["key"], "podinfo", &got) || hash == configs.Hash(nil, "podinfo", &got) {
		t.Errorf("hash %s is not keyed", hash)
	}
	w.tellsNo("0th3r", "s3cr3t", "MHRoM3I=", "czNjcjN0", string(key.Data["key"]))
}

// tellsNo looks for secrets in all that those may read who may not read Secrets.
func (w *world) tellsNo(secrets ...string) {
	w.t.Helper()
	var snapshots appsv1.ControllerRevisionList
	must(w.t, w.c.List(w.ctx, &snapshots, client.InNamespace(w.ns)))
	if len(snapshots.Items) < 2 {
		w.t.Fatalf("%d snapshots", len(snapshots.Items))
	}
	readable := w.story()
	for _, s := range snapshots.Items {
		readable += string(s.Data.Raw) + s.Annotations[revision.VersionsAnnotation]
	}
	for _, e := range w.events() {
		readable += e.Message
	}
	for _, s := range secrets {
		if strings.Contains(readable, s) {
			w.t.Errorf("%q can be read", s)
		}
	}
}

// TestWhatOthersRotateStaysLive: certificates, pull secrets and what says so. A copy would outlive
// what it proves.
func TestWhatOthersRotateStaysLive(t *testing.T) {
	w := newWorld(t)
	w.secrets = true
	tls := &corev1.Secret{ObjectMeta: w.meta("tls"), Type: corev1.SecretTypeTLS, Data: map[string][]byte{"tls.crt": []byte("a"), "tls.key": []byte("b")}}
	issued := w.secret("issued", "a")
	issued.Annotations = map[string]string{"cert-manager.io/certificate-name": "podinfo"}
	flags := w.configMap("flags", "a")
	flags.Annotations = map[string]string{"flagger.app/config-tracking": "disabled"}
	pull := &corev1.Secret{ObjectMeta: w.meta("pull"), Type: corev1.SecretTypeDockerConfigJson, Data: map[string][]byte{".dockerconfigjson": []byte("{}")}}
	w.create(tls, issued, flags, pull, w.service(), w.canary(), w.configMap("podinfo-config", "color: blue"), w.secret("podinfo-token", "x"),
		w.configured(func(d *appsv1.Deployment) {
			spec := &d.Spec.Template.Spec
			spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "pull"}}
			for _, name := range []string{"tls", "issued"} {
				spec.Volumes = append(spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: name}}})
			}
			spec.InitContainers = []corev1.Container{{Name: "init", Image: "init:1", EnvFrom: []corev1.EnvFromSource{{
				ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "flags"}}}}}}
		}))
	op := w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.eventually("it tracks", func() bool {
		return slices.Equal(w.tracked(), []string{"configmap/podinfo-config", "secret/podinfo-token"})
	})
	alter(w, "tls", &corev1.Secret{}, func(s *corev1.Secret) { s.Data["tls.crt"] = []byte("renewed") })
	alter(w, "issued", &corev1.Secret{}, func(s *corev1.Secret) { s.Data["token"] = []byte("renewed") })
	alter(w, "flags", &corev1.ConfigMap{}, func(c *corev1.ConfigMap) { c.Data["config.yaml"] = "b" })
	w.eventually("the operator has seen it", func() bool { return op.requests.quietFor(2 * settles) })
	w.restsWith(w.deploymentNamed("podinfo-primary"))
	spec := w.deploymentNamed("podinfo-primary").Spec.Template.Spec
	got := []string{spec.ImagePullSecrets[0].Name, spec.Volumes[1].Secret.SecretName, spec.Volumes[2].Secret.SecretName, spec.InitContainers[0].EnvFrom[0].ConfigMapRef.Name}
	if diff := cmp.Diff([]string{"pull", "tls", "issued", "flags"}, got); diff != "" {
		t.Errorf("live references (-want +got):\n%s", diff)
	}
}

// settles is how long a change of contents is given; the operator's own figure is 3 s.
const settles = 3 * time.Second

// TestATargetThatOptsOutHasLiveReferences.
func TestATargetThatOptsOutHasLiveReferences(t *testing.T) {
	w := newWorld(t)
	w.create(w.configMap("podinfo-config", "color: blue"), w.secret("podinfo-token", "x"), w.service(), w.canary(),
		w.configured(func(d *appsv1.Deployment) { d.Annotations[configs.TrackingAnnotation] = "disabled" }))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	if name, _ := w.mounted("podinfo-primary"); name != "podinfo-config" || len(w.tracked()) > 0 {
		t.Errorf("the primary mounts %s, tracked are %v", name, w.tracked())
	}
}

// TestChangesThatComeTogetherAreOneRevision: whoever applies a folder applies one object after another.
func TestChangesThatComeTogetherAreOneRevision(t *testing.T) {
	w, _ := adoptedWith(t, nil)
	w.configure("color: red")
	w.stays("the others are waited for", settles/2, func() bool { return w.get().Status.Rollout == nil })
	w.setImage("podinfo:6.0.1")
	c := w.ends(1)
	if len(c.Status.History) != 1 || c.Status.Promoted.Image != "podinfo:6.0.1" || w.contents("podinfo-primary") != "color: red" {
		t.Errorf("%d rollouts, the primary runs %s with %s\n%s", len(c.Status.History), c.Status.Promoted.Image, w.contents("podinfo-primary"), w.story())
	}
	if c.Status.Rollout.Number != 1 {
		t.Errorf("rollout %d, want one only\n%s", c.Status.Rollout.Number, w.story())
	}
}

// TestTheSameContentsUnderAnotherVersionAreNoRevision: tools touch annotations all the time. And
// what has been looked at is not looked at again.
func TestTheSameContentsUnderAnotherVersionAreNoRevision(t *testing.T) {
	w, op := adoptedWith(t, nil)
	w.eventually("it is at rest", func() bool { return w.toldAll() && op.requests.quietFor(stillness) })
	before, asked := w.deploymentNamed("podinfo-primary"), len(op.requests.all())
	var config corev1.ConfigMap
	alter(w, "podinfo-config", &config, func(c *corev1.ConfigMap) { c.Labels = map[string]string{"touched": "yes"} })
	var snapshot appsv1.ControllerRevision
	w.eventually("the snapshot has the version that was looked at", func() bool {
		w.read(w.get().Status.LastPromotedSpec, &snapshot)
		return strings.Contains(snapshot.Annotations[revision.VersionsAnnotation], `"`+config.ResourceVersion+`"`) && op.requests.quietFor(stillness)
	})
	if n := len(op.requests.all()) - asked; n > 3 {
		t.Errorf("%d requests for it, want 3: %v", n, op.requests.all()[asked:])
	}
	w.restsWith(before)
	op.stop()
	op = w.operate()
	w.observed(op)
	for _, line := range op.requests.all() {
		if strings.Contains(line, "/configmaps/") || !strings.HasPrefix(line, "GET ") {
			t.Errorf("after a restart: %s", line)
		}
	}
}

// TestAPrimaryThatGoesBackHasItsContentsBack: Flagger's copies were overwritten before the promotion
// failed.
func TestAPrimaryThatGoesBackHasItsContentsBack(t *testing.T) {
	w, _ := adoptedWith(t, nil)
	w.configure("color: red")
	w.setImage("podinfo:latest")
	w.takesWeight(50)
	w.images.Move("podinfo:latest")
	c := w.ends(1)
	last := c.Status.History[0]
	if last.Reason != "ImageMoved" || w.contents("podinfo-primary") != "color: blue" {
		t.Errorf("ended with %s and %s on the primary\n%s", last.Reason, w.contents("podinfo-primary"), w.story())
	}
}

// TestAnOptionalConfigMapThatComesIsARevision.
func TestAnOptionalConfigMapThatComesIsARevision(t *testing.T) {
	w := newWorld(t)
	optional := true
	w.create(w.service(), w.canary(), w.secret("podinfo-token", "x"), w.configured(func(d *appsv1.Deployment) {
		d.Spec.Template.Spec.Volumes[0].ConfigMap.Optional = &optional
	}))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.create(w.configMap("podinfo-config", "color: red"))
	if c := w.ends(1); c.Status.Phase != v1beta1.PhaseSucceeded || w.contents("podinfo-primary") != "color: red" {
		t.Errorf("ended as %s\n%s", c.Status.Phase, w.story())
	}
}

// TestADeletedCopyIsMadeAgain while the original still has the contents; after that it is said.
func TestADeletedCopyIsMadeAgain(t *testing.T) {
	w, _ := adoptedWith(t, nil)
	name, _ := w.mounted("podinfo-primary")
	remove := func() { must(t, w.c.Delete(w.ctx, &corev1.ConfigMap{ObjectMeta: w.meta(name)})) }
	remove()
	w.eventually("it is back", func() bool { return w.find(name, &corev1.ConfigMap{}) })
	w.edit(func(c *v1beta1.Canary) { c.Spec.Analysis.Interval = "60s" })
	w.configure("color: red")
	w.takesWeight(50)
	remove()
	w.says(v1beta1.ConditionWarning, "SecretsNotTracked", name, "was deleted and the original has changed since")
}

// TestACopyThatCannotBeMadeIsSaid, and made as soon as it can be.
func TestACopyThatCannotBeMadeIsSaid(t *testing.T) {
	w, _ := adoptedWith(t, nil)
	next := w.configMap("podinfo-config", "color: red")
	taken := w.configMap(configs.CopyName("podinfo-config", configs.Hash(nil, "podinfo", next)), "somebody's own")
	w.create(taken)
	w.configure("color: red")
	w.says(v1beta1.ConditionWarning, "SecretsNotTracked", taken.Name, "has other contents: delete it")
	must(t, w.c.Delete(w.ctx, taken))
	if c := w.ends(1); c.Status.Phase != v1beta1.PhaseSucceeded {
		t.Errorf("ended as %s\n%s", c.Status.Phase, w.story())
	}
}
