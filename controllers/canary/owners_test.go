package canary_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/revision"
)

// TestTheAutoscalerOfThePrimaryDoesNotShrinkItInARun: part of the traffic is elsewhere, so its load
// says too little.
func TestTheAutoscalerOfThePrimaryDoesNotShrinkItInARun(t *testing.T) {
	w := newWorld(t)
	w.create(w.deployment("podinfo:6.0.0"), w.service(), w.autoscaler(), w.canary(autoscaled, func(c *v1beta1.Canary) {
		c.Spec.Analysis.Interval = "3s"
	}))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	floor := func() int32 {
		var hpa autoscalingv2.HorizontalPodAutoscaler
		w.read("podinfo-primary", &hpa)
		if hpa.Spec.ScaleTargetRef.Name != "podinfo-primary" || hpa.Spec.MaxReplicas != 10 {
			t.Errorf("the copy is %+v", hpa.Spec)
		}
		return *hpa.Spec.MinReplicas
	}
	w.eventually("at rest the floor is the user's", func() bool { return floor() == 1 })
	w.scale("podinfo-primary", 4) // as its autoscaler does under load
	w.setImage("podinfo:6.0.1")
	w.takesWeight(50)
	w.eventually("the floor is what serves", func() bool { return floor() == 4 })
	w.ends(1)
	w.eventually("the floor is the user's again", func() bool { return floor() == 1 })
	if got := *w.deploymentNamed("podinfo-primary").Spec.Replicas; got != 4 {
		t.Errorf("the primary has %d replicas, want the autoscaler's 4", got)
	}
}

// TestTheAutoscalerOfThePrimaryDoesNotShrinkItBeforeItsTraffic: while it is adopted its load is still
// the target's. The copy has the original's annotations, and follows them.
func TestTheAutoscalerOfThePrimaryDoesNotShrinkItBeforeItsTraffic(t *testing.T) {
	w := newWorld(t)
	hpa := w.autoscaler()
	hpa.Annotations = map[string]string{"metric-config.pods.rps/path": "/metrics"}
	w.create(w.deployment("podinfo:6.0.0"), w.service(), hpa, w.canary(autoscaled))
	w.operate()
	var adopting autoscalingv2.HorizontalPodAutoscaler
	w.eventually("the copy stands", func() bool { return w.find("podinfo-primary", &adopting) })
	if got := *adopting.Spec.MinReplicas; got != 2 || adopting.Annotations["metric-config.pods.rps/path"] != "/metrics" {
		t.Errorf("the copy has a floor of %d, want the 2 pods of the target; annotations %v", got, adopting.Annotations)
	}
	w.reaches(v1beta1.PhaseInitialized)
	alter(w, "podinfo", &autoscalingv2.HorizontalPodAutoscaler{}, func(h *autoscalingv2.HorizontalPodAutoscaler) {
		h.Annotations, h.Spec.MaxReplicas = nil, 7
	})
	w.eventually("the copy follows", func() bool {
		var hpa autoscalingv2.HorizontalPodAutoscaler
		w.read("podinfo-primary", &hpa)
		return hpa.Spec.MaxReplicas == 7 && *hpa.Spec.MinReplicas == 1 && cmp.Equal(hpa.Annotations, map[string]string{v1beta1.MadeForAnnotation: "podinfo"})
	})
}

func TestAUsersSizeOfTheTemplateIsThePrimarys(t *testing.T) {
	w, op := adopted(t)
	alter(w, "podinfo", &appsv1.Deployment{}, func(d *appsv1.Deployment) { d.Spec.Replicas = ptr.To(int32(3)) })
	w.eventually("the primary has that size and the template none", func() bool {
		return *w.deploymentNamed("podinfo-primary").Spec.Replicas == 3 && *w.deploymentNamed("podinfo").Spec.Replicas == 0
	})
	w.eventually("it is at rest", func() bool { return w.toldAll() && op.requests.quietFor(stillness) })
	if r := w.get().Status.Repairs; r == nil || r.Replicas != 1 {
		t.Errorf("repairs are %+v, want one\n%s", r, w.story())
	}
	for _, e := range w.events() {
		if e.Reason == "TargetScaled" && !strings.Contains(e.Message, "by a-user") {
			t.Errorf("the event does not name who scaled: %s", e.Message)
		}
	}
}

func TestAForeignSelectorIsRepaired(t *testing.T) {
	w, _ := adopted(t)
	alter(w, "podinfo", &corev1.Service{}, func(s *corev1.Service) { s.Spec.Selector = map[string]string{"app": "podinfo"} })
	w.eventually("the apex selects the primary again", func() bool {
		var apex corev1.Service
		w.read("podinfo", &apex)
		return cmp.Equal(map[string]string{"app": "podinfo-primary"}, apex.Spec.Selector)
	})
}

func TestAnEditedRouteIsRepaired(t *testing.T) {
	w, _ := adopted(t)
	w.router.Edit(w.key(), split(40)[0])
	w.wake()
	w.eventually("the route is back", func() bool { return w.router.Serving(w.key()) == split(0)[0] })
}

// TestANewerServersDefaultsAreNoNewRevision: an upgrade of Kubernetes that defaults a new field
// changes every template's hash. What an old server stored is recognised all the same.
func TestANewerServersDefaultsAreNoNewRevision(t *testing.T) {
	w, op := adopted(t)
	w.eventually("it is at rest", w.toldAll)
	op.stop()
	name := w.get().Status.LastPromotedSpec
	alter(w, name, &appsv1.ControllerRevision{}, func(cr *appsv1.ControllerRevision) {
		cr.Annotations[revision.HashAnnotation] = "0123456789"
	})
	w.observed(w.operate())
	var snapshot appsv1.ControllerRevision
	w.read(name, &snapshot)
	if got := snapshot.Annotations[revision.HashAnnotation]; !strings.HasPrefix(got, "0123456789,") {
		t.Errorf("the snapshot is recognised by %q, want one hash more", got)
	}
	if s := w.get().Status; s.Phase != v1beta1.PhaseInitialized || s.Rollout != nil {
		t.Errorf("a rollout began\n%s", w.story())
	}
}

// TestAnOperatorWithAnotherRenderingRestartsNoPod: a primary keeps the rendering it has until its
// next promotion.
func TestAnOperatorWithAnotherRenderingRestartsNoPod(t *testing.T) {
	w, op := adopted(t)
	w.eventually("it is at rest", w.toldAll)
	op.stop()
	alter(w, "podinfo-primary", &appsv1.Deployment{}, func(d *appsv1.Deployment) {
		d.Spec.Template.Labels["rendered-by"] = "an-older-release"
	})
	before := w.deploymentNamed("podinfo-primary").Generation
	again := w.operate()
	w.observed(again)
	if after := w.deploymentNamed("podinfo-primary").Generation; after != before {
		t.Errorf("the primary was rendered anew")
	}
	if writes := again.requests.writes(); len(writes) > 0 {
		t.Errorf("wrote %v", writes)
	}
}
