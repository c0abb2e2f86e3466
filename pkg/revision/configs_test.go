package revision

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/configs"
)

// makeConfigured is a target that mounts the ConfigMap config and, if it exists, the Secret token.
func makeConfigured() *appsv1.Deployment {
	d := makeTarget("podinfo:6.0.0")
	optional := true
	d.Spec.Template.Spec.Volumes = []corev1.Volume{
		{Name: "a", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "config"}}}},
		{Name: "b", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "token", Optional: &optional}}},
	}
	return d
}

func makeConfig(content string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: "config", UID: "c"}, Data: map[string]string{"a": content}}
}

func makeSecret(kind corev1.SecretType) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: "token", UID: "s"}, Type: kind, Data: map[string][]byte{"tls.crt": []byte("x")}}
}

func everything(configs.Kind, string) bool { return true }

// write changes an object as a user does.
func (s Store) write(t *testing.T, o client.Object) {
	t.Helper()
	before := o.DeepCopyObject().(client.Object)
	if err := s.Client.Get(t.Context(), client.ObjectKeyFromObject(o), before); err != nil {
		t.Fatal(err)
	}
	o.SetResourceVersion(before.GetResourceVersion())
	if err := s.Client.Update(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

// found is the name of the snapshot of the target as it is; empty while there is none.
func (s Store) found(t *testing.T, c *v1beta1.Canary, target *appsv1.Deployment) string {
	t.Helper()
	got, _, err := s.Lookup(t.Context(), c, target, &target.Spec.Template)
	if err != nil {
		t.Fatal(err)
	}
	return got.Name
}

// taken takes a snapshot and names it.
func (s Store) taken(t *testing.T, c *v1beta1.Canary, target *appsv1.Deployment) string {
	t.Helper()
	s.take(t, c)
	return s.found(t, c, target)
}

// copiesThere are the names of the copies that exist.
func (s Store) copiesThere(t *testing.T) []string {
	t.Helper()
	var cms corev1.ConfigMapList
	var secrets corev1.SecretList
	for _, l := range []client.ObjectList{&cms, &secrets} {
		if err := s.Client.List(t.Context(), l, client.HasLabels{v1beta1.CanaryLabel}); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for _, o := range cms.Items {
		names = append(names, o.Name)
	}
	for _, o := range secrets.Items {
		names = append(names, o.Name)
	}
	return names
}

// TestContentsMakeTheRevision: other contents are another snapshot, and the same ones the same again.
func TestContentsMakeTheRevision(t *testing.T) {
	target, c := makeConfigured(), makeCanary("podinfo")
	s := makeStore(t, target, makeConfig("blue"))
	s.Tracks = everything
	blue := s.taken(t, c, target)
	s.write(t, makeConfig("red"))
	if got := s.found(t, c, target); got != "" {
		t.Errorf("other contents are found as %s", got)
	}
	red := s.taken(t, c, target)
	s.write(t, makeConfig("blue"))
	if again := s.taken(t, c, target); red == blue || again != blue {
		t.Errorf("blue is %s and %s, red is %s", blue, again, red)
	}
	for name, want := range map[string]string{blue: "blue", red: "red"} {
		rendering, err := s.Rendering(t.Context(), "apps", name)
		if err != nil {
			t.Fatal(err)
		}
		typed, err := typedTemplate(rendering)
		if err != nil {
			t.Fatal(err)
		}
		var copied corev1.ConfigMap
		key := client.ObjectKey{Namespace: "apps", Name: typed.Spec.Volumes[0].ConfigMap.Name}
		if err := s.Client.Get(t.Context(), key, &copied); err != nil || copied.Data["a"] != want {
			t.Errorf("%s mounts %s with %v (%v), want %s", name, key.Name, copied.Data, err, want)
		}
	}
}

// TestASnapshotWithoutConfigsKeepsItsName: another would start a rollout with the upgrade.
func TestASnapshotWithoutConfigsKeepsItsName(t *testing.T) {
	target, c := makeTarget("podinfo:6.0.0"), makeCanary("podinfo")
	s := makeStore(t, target)
	s.Tracks = everything
	if got, want := s.taken(t, c, target), "podinfo-d182a6af2a"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestWhatIsTrackedOnlySinceIsTakenForTheSnapshots: of an older release, or with a later right.
func TestWhatIsTrackedOnlySinceIsTakenForTheSnapshots(t *testing.T) {
	target, c := makeConfigured(), makeCanary("podinfo")
	s := makeStore(t, target, makeConfig("blue"), makeSecret(corev1.SecretTypeOpaque))
	before := s.taken(t, c, target)
	for sentence, tracks := range map[string]func(configs.Kind, string) bool{
		"ConfigMaps":       func(k configs.Kind, _ string) bool { return k == configs.ConfigMap },
		"Secrets too":      everything,
		"Secrets no more":  func(k configs.Kind, _ string) bool { return k == configs.ConfigMap },
		"nothing any more": nil,
	} {
		s.Tracks = tracks
		if got := s.taken(t, c, target); got != before {
			t.Errorf("%s: %s became %s", sentence, before, got)
		}
	}
	s.Tracks = everything
	s.write(t, makeConfig("red"))
	if after := s.taken(t, c, target); after == before {
		t.Error("a change after that is no revision")
	}
}

// TestACertificateIsReadOnceAndNeverAgain: its type shows only in its contents, and it is renewed often.
func TestACertificateIsReadOnceAndNeverAgain(t *testing.T) {
	target, c := makeConfigured(), makeCanary("podinfo")
	s := makeStore(t, target, makeConfig("blue"), makeSecret(corev1.SecretTypeTLS))
	s.Tracks = everything
	before := s.taken(t, c, target)
	renewed := makeSecret(corev1.SecretTypeTLS)
	renewed.Data["tls.crt"] = []byte("renewed")
	s.write(t, renewed)
	if got := s.found(t, c, target); got != before {
		t.Errorf("a renewed certificate makes %q of %s", got, before)
	}
	if names := s.copiesThere(t); len(names) != 1 {
		t.Errorf("copies: %v", names)
	}
	renewed.Annotations = map[string]string{configs.TrackingAnnotation: "enabled"}
	s.write(t, renewed)
	if got := s.taken(t, c, target); got != before || len(s.copiesThere(t)) != 2 {
		t.Errorf("opted in, it makes %q of %s, copies: %v", got, before, s.copiesThere(t))
	}
}

// TestACertificateInPlaceOfASecretIsNoLoop: what a snapshot tracks may become what is not tracked. The
// snapshot goes on having what it had.
func TestACertificateInPlaceOfASecretIsNoLoop(t *testing.T) {
	target, c := makeConfigured(), makeCanary("podinfo")
	s := makeStore(t, target, makeConfig("blue"), makeSecret(corev1.SecretTypeOpaque))
	s.take(t, c)
	s.Tracks = everything
	before := s.taken(t, c, target)
	have, err := s.Configs(t.Context(), "apps", before)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Client.Delete(t.Context(), makeSecret("")); err != nil {
		t.Fatal(err)
	}
	other := makeSecret(corev1.SecretTypeTLS)
	other.UID = "another"
	if err := s.Client.Create(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if got := s.taken(t, c, target); got != before {
		t.Errorf("got %q, want %s", got, before)
	}
	now, err := s.Configs(t.Context(), "apps", before)
	if diff := cmp.Diff(have, now); diff != "" || err != nil || len(have) != 2 {
		t.Errorf("contents of the snapshot (-before +after):\n%s%v", diff, err)
	}
}

// TestAMissingConfigMapTakesNoSnapshot: its pods could not start.
func TestAMissingConfigMapTakesNoSnapshot(t *testing.T) {
	target, c := makeConfigured(), makeCanary("podinfo")
	s := makeStore(t, target)
	s.Tracks = everything
	err := s.Take(t.Context(), c, client.ObjectKeyFromObject(target))
	if want := "snapshot Deployment apps/podinfo: ConfigMap config does not exist"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	missing, err := s.Missing(t.Context(), target, &target.Spec.Template)
	if diff := cmp.Diff([]configs.ID{{Kind: configs.ConfigMap, Name: "config"}}, missing); diff != "" || err != nil {
		t.Errorf("missing (-want +got):\n%s%v", diff, err)
	}
}

// TestTheContentsOfASnapshotCannotBeEdited: what it was taken with stands, whatever its annotation says.
func TestTheContentsOfASnapshotCannotBeEdited(t *testing.T) {
	target, c := makeConfigured(), makeCanary("podinfo")
	s := makeStore(t, target, makeConfig("blue"))
	s.Tracks = everything
	before := s.taken(t, c, target)
	for _, edit := range []string{"{", `[{"kind":"ConfigMap","name":"config","hash":"other","copy":"somebodys","version":"1"}]`} {
		cr, err := s.snapshot(t.Context(), "apps", before)
		if err != nil {
			t.Fatal(err)
		}
		cr.Annotations[VersionsAnnotation] = edit
		if err := s.Client.Update(t.Context(), cr); err != nil {
			t.Fatal(err)
		}
		rendering, err := s.Rendering(t.Context(), "apps", before)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(rendering); strings.Contains(got, "somebodys") || !strings.Contains(got, s.copiesThere(t)[0]) {
			t.Errorf("renders %s", got)
		}
		if got := s.taken(t, c, target); got != before {
			t.Errorf("found as %q, want %s", got, before)
		}
	}
}

// TestCopiesGoWithTheLastSnapshotThatNeedsThem, and nothing else of the same label goes.
func TestCopiesGoWithTheLastSnapshotThatNeedsThem(t *testing.T) {
	target, c := makeConfigured(), makeCanary("podinfo")
	other := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: "users-own", Labels: map[string]string{v1beta1.CanaryLabel: "podinfo"}}}
	s := makeStore(t, target, makeConfig("0"), makeSecret(corev1.SecretTypeOpaque), other)
	s.Tracks = everything
	c.Status.LastPromotedSpec = s.taken(t, c, target)
	promoted, err := s.Configs(t.Context(), "apps", c.Status.LastPromotedSpec)
	if err != nil {
		t.Fatal(err)
	}
	const more = keep + 5
	for i := 1; i <= more; i++ {
		s.write(t, makeConfig(fmt.Sprint(i)))
		s.take(t, c)
	}
	names := s.copiesThere(t)
	// That of the promoted snapshot, of the newest, of those that are kept, the Secret's, and the user's own.
	if want := 1 + 1 + keep + 1 + 1; len(names) != want {
		t.Errorf("%d copies, want %d: %v", len(names), want, names)
	}
	for _, name := range []string{"users-own", promoted[0].Copy, promoted[1].Copy} {
		if !slices.Contains(names, name) {
			t.Errorf("%s is gone", name)
		}
	}
}
