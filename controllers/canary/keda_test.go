package canary_test

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/workload"
)

const kedaCRDs = "testdata/crds"

func scaledByKEDA(c *v1beta1.Canary) {
	c.Spec.AutoscalerRef = &v1beta1.AutoscalerReference{APIVersion: "keda.sh/v1alpha1", Kind: "ScaledObject", Name: "podinfo"}
}

func (w *world) scaledObject() *unstructured.Unstructured {
	so := workload.BlankScaledObject()
	so.SetNamespace(w.ns)
	so.SetName("podinfo")
	so.Object["spec"] = map[string]any{
		"scaleTargetRef": map[string]any{"name": "podinfo"}, "minReplicaCount": int64(1), "maxReplicaCount": int64(6),
		"triggers": []any{map[string]any{"type": "prometheus", "metricType": "Value",
			"metadata": map[string]any{"query": `sum(rate(http_requests_total{app="podinfo"}[30s]))`, "threshold": "5"}}},
	}
	return so
}

func (w *world) scaledNamed(name string) *unstructured.Unstructured {
	w.t.Helper()
	so := workload.BlankScaledObject()
	w.read(name, so)
	return so
}

// specOf is a field of a ScaledObject's spec.
func specOf(so *unstructured.Unstructured, path ...string) any {
	v, _, _ := unstructured.NestedFieldNoCopy(so.Object, append([]string{"spec"}, path...)...)
	return v
}

func onKEDA(t *testing.T, edits ...func(*v1beta1.Canary)) *world {
	t.Helper()
	w := newWorld(t, kedaCRDs)
	w.create(w.deployment("podinfo:6.0.0"), w.service(), w.scaledObject(), w.canary(append(edits, scaledByKEDA)...))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	return w
}

// TestTheTemplateOfAScaledObjectIsPaused: or KEDA would give it pods. The copy is not (Flagger #1934).
func TestTheTemplateOfAScaledObjectIsPaused(t *testing.T) {
	w := onKEDA(t)
	want := map[string]string{workload.PausedReplicas: "0", v1beta1.OriginalPausedReplicasAnnotation: ""}
	if diff := cmp.Diff(want, w.scaledNamed("podinfo").GetAnnotations()); diff != "" {
		t.Errorf("annotations of the target's (-want +got):\n%s", diff)
	}
	primary := w.scaledNamed("podinfo-primary")
	if diff := cmp.Diff(map[string]string{v1beta1.MadeForAnnotation: "podinfo"}, primary.GetAnnotations()); diff != "" {
		t.Errorf("annotations of the primary's (-want +got):\n%s", diff)
	}
	if got := specOf(primary, "scaleTargetRef", "name"); got != "podinfo-primary" {
		t.Errorf("the copy scales %v", got)
	}
	if got := len(primary.GetOwnerReferences()); got > 0 {
		t.Errorf("the copy has %d owners", got)
	}
}

// TestALostPauseIsSetAgain (Flagger #1798).
func TestALostPauseIsSetAgain(t *testing.T) {
	w := onKEDA(t)
	alter(w, "podinfo", workload.BlankScaledObject(), func(so *unstructured.Unstructured) { so.SetAnnotations(nil) })
	w.eventually("it is paused again", func() bool { return w.scaledNamed("podinfo").GetAnnotations()[workload.PausedReplicas] == "0" })
}

// TestACopyFollowsItsScaledObject (Flagger #1368).
func TestACopyFollowsItsScaledObject(t *testing.T) {
	w := onKEDA(t)
	alter(w, "podinfo", workload.BlankScaledObject(), func(so *unstructured.Unstructured) {
		_ = unstructured.SetNestedField(so.Object, int64(3), "spec", "minReplicaCount")
		_ = unstructured.SetNestedField(so.Object, int64(15), "spec", "cooldownPeriod")
	})
	w.eventually("the copy has both", func() bool {
		so := w.scaledNamed("podinfo-primary")
		return specOf(so, "minReplicaCount") == int64(3) && specOf(so, "cooldownPeriod") == int64(15)
	})
}

// TestAScaledObjectDoesNotShrinkThePrimaryInARun, and is the user's again after it.
func TestAScaledObjectDoesNotShrinkThePrimaryInARun(t *testing.T) {
	w := onKEDA(t, func(c *v1beta1.Canary) { c.Spec.Analysis.Interval = "3s" })
	floor := func() any { return specOf(w.scaledNamed("podinfo-primary"), "minReplicaCount") }
	w.scale("podinfo-primary", 4) // as KEDA does under load
	w.setImage("podinfo:6.0.1")
	w.takesWeight(50)
	w.eventually("the floor is what serves", func() bool { return floor() == int64(4) })
	if got := *w.deploymentNamed("podinfo-canary").Spec.Replicas; got != 2 {
		t.Errorf("the canary has %d pods at half of the traffic, want half of the primary's 4", got)
	}
	if c := w.ends(1); c.Status.Phase != v1beta1.PhaseSucceeded {
		t.Errorf("ended as %s\n%s", c.Status.Phase, w.story())
	}
	w.eventually("the floor is the user's again", func() bool { return floor() == int64(1) })
}

// TestAnotherAutoscalerReplacesTheCopy: two of them would undo each other.
func TestAnotherAutoscalerReplacesTheCopy(t *testing.T) {
	w := newWorld(t, kedaCRDs)
	w.create(w.deployment("podinfo:6.0.0"), w.service(), w.autoscaler(), w.scaledObject(), w.canary(autoscaled))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.edit(scaledByKEDA)
	w.eventually("the ScaledObject's copy stands alone", func() bool {
		return !w.find("podinfo-primary", &autoscalingv2.HorizontalPodAutoscaler{}) && w.find("podinfo-primary", workload.BlankScaledObject())
	})
	w.edit(autoscaled)
	w.eventually("the HorizontalPodAutoscaler's copy stands alone", func() bool {
		return w.find("podinfo-primary", &autoscalingv2.HorizontalPodAutoscaler{}) && !w.find("podinfo-primary", workload.BlankScaledObject())
	})
	if !w.find("podinfo", workload.BlankScaledObject()) || !w.find("podinfo", &autoscalingv2.HorizontalPodAutoscaler{}) {
		t.Error("an autoscaler of the user's is gone")
	}
}

// TestKEDAThatIsNotInstalledIsExplained, and found when it comes.
func TestKEDAThatIsNotInstalledIsExplained(t *testing.T) {
	w := newWorld(t, kedaCRDs)
	absent := &atomic.Bool{}
	absent.Store(true)
	w.mapper = func(cfg *rest.Config, h *http.Client) (meta.RESTMapper, error) {
		m, err := apiutil.NewDynamicRESTMapper(cfg, h)
		return &blindMapper{m, absent}, err
	}
	w.create(w.deployment("podinfo:6.0.0"), w.service(), w.scaledObject(), w.canary(scaledByKEDA))
	w.operate()
	w.explains(v1beta1.ConditionStalled, "KedaNotInstalled", []string{"ScaledObject.v1alpha1.keda.sh", "install KEDA"})
	absent.Store(false)
	w.wake()
	w.reaches(v1beta1.PhaseInitialized)
}

// blindMapper knows no kind of KEDA's while it is absent.
type blindMapper struct {
	meta.RESTMapper
	absent *atomic.Bool
}

func (m *blindMapper) RESTMapping(gk schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	if gk.Group == "keda.sh" && m.absent.Load() {
		return nil, &meta.NoKindMatchError{GroupKind: gk, SearchedVersions: versions}
	}
	return m.RESTMapper.RESTMapping(gk, versions...)
}

// TestADeletedCanaryHandsTheScaledObjectBack, and its copy goes.
func TestADeletedCanaryHandsTheScaledObjectBack(t *testing.T) {
	w := onKEDA(t)
	w.remove(w.get())
	w.goes()
	if got := w.scaledNamed("podinfo").GetAnnotations(); len(got) > 0 {
		t.Errorf("annotations of the target's: %v", got)
	}
	if w.find("podinfo-primary", workload.BlankScaledObject()) {
		t.Error("the copy is left")
	}
	w.handedBack("podinfo:6.0.0", 2)
}
