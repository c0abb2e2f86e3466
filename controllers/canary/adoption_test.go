package canary_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
)

func TestAdoptionChangesFewNamedThingsOfTheUsers(t *testing.T) {
	w, _ := adopted(t)
	target := w.deploymentNamed("podinfo")
	if got := *target.Spec.Replicas; got != 0 {
		t.Errorf("the target has %d replicas, want 0: it is a template now", got)
	}
	want := w.deployment("podinfo:6.0.0")
	want.Annotations[v1beta1.OriginalReplicasAnnotation] = "2"
	if diff := cmp.Diff(want.Annotations, target.Annotations); diff != "" {
		t.Errorf("annotations of the target (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.Labels, target.Labels); diff != "" {
		t.Errorf("labels of the target (-want +got):\n%s", diff)
	}
	var apex corev1.Service
	w.read("podinfo", &apex)
	if diff := cmp.Diff(map[string]string{"app": "podinfo-primary"}, apex.Spec.Selector); diff != "" {
		t.Errorf("selector of the apex Service (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{v1beta1.OriginalSelectorAnnotation: `{"app":"podinfo"}`}, apex.Annotations); diff != "" {
		t.Errorf("annotations of the apex Service (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]router.Weights{router.Percent(0)}, w.router.Shifts(w.key())); diff != "" {
		t.Errorf("the route's weights (-want +got):\n%s", diff)
	}
}

// TestNothingThatServesIsTracked: an owner reference or a tracking mark on a clone would let another
// tool remove what serves.
func TestNothingThatServesIsTracked(t *testing.T) {
	w, _ := adopted(t)
	for role, replicas := range map[string]int32{"primary": 2, "canary": 0} {
		clone := w.deploymentNamed("podinfo-" + role)
		if got := *clone.Spec.Replicas; got != replicas {
			t.Errorf("%s has %d replicas, want %d", role, got, replicas)
		}
		labels := map[string]string{"app": "podinfo-" + role, "team": "shop", v1beta1.CanaryLabel: "podinfo", v1beta1.RoleLabel: role}
		if diff := cmp.Diff(labels, clone.Labels); diff != "" {
			t.Errorf("labels of %s (-want +got):\n%s", clone.Name, diff)
		}
		w.wantForeignKeysOnly(clone, "contact")
		if got := clone.Spec.Template.Labels["app.kubernetes.io/instance"]; got != "shop" {
			t.Errorf("the pods of %s have instance %q: their labels are the application's own", clone.Name, got)
		}
		var svc corev1.Service
		w.read("podinfo-"+role, &svc)
		if len(svc.OwnerReferences) > 0 {
			t.Errorf("Service %s has owners %v", svc.Name, svc.OwnerReferences)
		}
		if diff := cmp.Diff(map[string]string{"app": "podinfo-" + role}, svc.Spec.Selector); diff != "" {
			t.Errorf("selector of Service %s (-want +got):\n%s", svc.Name, diff)
		}
	}
}

// wantForeignKeysOnly holds a clone's annotations and owners against what may be there.
func (w *world) wantForeignKeysOnly(clone *appsv1.Deployment, copied string) {
	w.t.Helper()
	allowed := map[string]bool{copied: true, v1beta1.RevisionAnnotation: true, v1beta1.TransitionAnnotation: true}
	for key := range clone.Annotations {
		if !allowed[key] {
			w.t.Errorf("%s carries the annotation %s", clone.Name, key)
		}
	}
	if len(clone.OwnerReferences) > 0 {
		w.t.Errorf("%s has owners %v", clone.Name, clone.OwnerReferences)
	}
}

func TestAnApexServiceIsMadeWhereTheUserHasNone(t *testing.T) {
	w := newWorld(t)
	w.create(w.deployment("podinfo:6.0.0"), w.canary())
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	var apex corev1.Service
	w.read("podinfo", &apex)
	if diff := cmp.Diff(map[string]string{"app": "podinfo-primary"}, apex.Spec.Selector); diff != "" {
		t.Errorf("selector (-want +got):\n%s", diff)
	}
}
