package canary_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
)

func ofService(c *v1beta1.Canary) {
	c.Spec.TargetRef.APIVersion, c.Spec.TargetRef.Kind = "v1", "Service"
}

// runs makes the pods of a version that nobody here rolls out.
func (w *world) runs(version string) {
	w.t.Helper()
	d := w.deployment("podinfo:" + version)
	d.Name += "-" + version
	d.Spec.Selector.MatchLabels["version"], d.Spec.Template.Labels["version"] = version, version
	w.create(d)
}

// leading is a Service that selects a version.
func (w *world) leading(version string) *corev1.Service {
	s := w.service()
	s.Spec.Selector["version"] = version
	return s
}

func (w *world) leadTo(version string) {
	w.t.Helper()
	alter(w, "podinfo", &corev1.Service{}, func(s *corev1.Service) { s.Spec.Selector["version"] = version })
}

// leadsTo is the version that a Service selects.
func (w *world) leadsTo(name string) string { return w.serviceNamed(name).Spec.Selector["version"] }

func TestAServiceIsTurnedStepByStep(t *testing.T) {
	w := newWorld(t)
	w.runs("blue")
	w.runs("green")
	w.create(w.leading("blue"), w.canary(ofService))
	before := w.serviceNamed("podinfo")
	op := w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	if diff := cmp.Diff(before, w.serviceNamed("podinfo")); diff != "" {
		t.Errorf("the user's Service was touched (-before +after):\n%s", diff)
	}
	w.sidesAtRest("blue")
	w.leadTo("green")
	w.takesWeight(50)
	if primary, canary := w.leadsTo("podinfo-primary"), w.leadsTo("podinfo-canary"); primary != "blue" || canary != "green" {
		t.Errorf("at half of the traffic the primary leads to %s and the canary to %s", primary, canary)
	}
	c := w.ends(1)
	if c.Status.Phase != v1beta1.PhaseSucceeded || c.Status.Promoted.Image != "app=podinfo,version=green" {
		t.Errorf("ended as %s with %s\n%s", c.Status.Phase, c.Status.Promoted.Image, w.story())
	}
	w.sidesAtRest("green")
	w.bridgedBefore(op, "podinfo-primary")
	w.prom.succeed(96.2)
	w.leadTo("blue")
	if c := w.ends(2); c.Status.Phase != v1beta1.PhaseFailed {
		t.Errorf("ended as %s\n%s", c.Status.Phase, w.story())
	}
	w.sidesAtRest("green")
	if diff := cmp.Diff(split(0, 50, 0, 50, 0), w.router.Shifts(w.key())); diff != "" {
		t.Errorf("the route's weights (-want +got):\n%s", diff)
	}
	w.eventually("the operator asks nothing any more", func() bool { return op.requests.quietFor(stillness) })
}

// sidesAtRest: the primary leads to a version with its own addresses alone, the canary nowhere.
func (w *world) sidesAtRest(version string) {
	w.t.Helper()
	if got := w.leadsTo("podinfo-primary"); got != version {
		w.t.Errorf("the primary leads to %s, want %s", got, version)
	}
	if got := w.serviceNamed("podinfo-canary").Spec.Selector[v1beta1.ScaleToZeroKey]; got != "true" {
		w.t.Errorf("the canary leads somewhere at rest: %v", w.serviceNamed("podinfo-canary").Spec.Selector)
	}
	w.eventually("the bridge is gone", func() bool { return w.bridged("podinfo-primary") == 0 })
}

// bridgedBefore: what a Service led to was held before it was led elsewhere.
func (w *world) bridgedBefore(op *operator, service string) {
	w.t.Helper()
	writes := op.requests.writes()
	held := slices.Index(writes, "POST /apis/discovery.k8s.io/v1/namespaces/"+w.ns+"/endpointslices")
	turned := slices.Index(writes, "PATCH /api/v1/namespaces/"+w.ns+"/services/"+service)
	if held < 0 || turned < held {
		w.t.Errorf("the bridge was written at %d and the Service at %d of %v", held, turned, writes)
	}
}

// bridged counts the addresses of a Service's bridge.
func (w *world) bridged(service string) (addresses int) {
	w.t.Helper()
	var l discoveryv1.EndpointSliceList
	must(w.t, w.c.List(w.ctx, &l, client.InNamespace(w.ns),
		client.MatchingLabels{discoveryv1.LabelServiceName: service, discoveryv1.LabelManagedBy: "serin.dev"}))
	for _, s := range l.Items {
		addresses += len(s.Endpoints)
	}
	return addresses
}

// TestAServiceThatLeadsNowhereExposesNobody: no pod is ready where it leads.
func TestAServiceThatLeadsNowhereExposesNobody(t *testing.T) {
	w := newWorld(t)
	w.runs("blue")
	w.create(w.leading("blue"), w.canary(ofService, func(c *v1beta1.Canary) { c.Spec.ProgressDeadlineSeconds = new(int32(3)) }))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.leadTo("green")
	c := w.ends(1)
	if c.Status.Phase != v1beta1.PhaseFailed || c.Status.Rollout.Reason != "CanaryNotReady" {
		t.Errorf("ended as %s for %s\n%s", c.Status.Phase, c.Status.Rollout.Reason, w.story())
	}
	if diff := cmp.Diff(split(0), w.router.Shifts(w.key())); diff != "" {
		t.Errorf("the route's weights (-want +got):\n%s", diff)
	}
}

// TestANameElsewhereIsTurned: such a Service has no addresses to wait for.
func TestANameElsewhereIsTurned(t *testing.T) {
	w := newWorld(t)
	s := w.service()
	s.Spec.Type, s.Spec.Selector, s.Spec.ExternalName = corev1.ServiceTypeExternalName, nil, "blue.example.com"
	w.create(s, w.canary(ofService))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	alter(w, "podinfo", &corev1.Service{}, func(s *corev1.Service) { s.Spec.ExternalName = "green.example.com" })
	w.takesWeight(50)
	if got := w.serviceNamed("podinfo-canary").Spec.ExternalName; got != "green.example.com" {
		t.Errorf("the canary leads to %s", got)
	}
	if c := w.ends(1); c.Status.Promoted.Image != "green.example.com" {
		t.Errorf("%s is promoted\n%s", c.Status.Promoted.Image, w.story())
	}
	if got := w.serviceNamed("podinfo-primary").Spec.ExternalName; got != "green.example.com" {
		t.Errorf("the primary leads to %s", got)
	}
}

// TestAForeignEditOfASideIsUndone: what serves is what was promoted.
func TestAForeignEditOfASideIsUndone(t *testing.T) {
	w := newWorld(t)
	w.runs("blue")
	w.create(w.leading("blue"), w.canary(ofService))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	alter(w, "podinfo-primary", &corev1.Service{}, func(s *corev1.Service) { s.Spec.Selector["version"] = "green" })
	w.eventually("it is undone", func() bool { return w.leadsTo("podinfo-primary") == "blue" })
}

// TestServicesThatCannotBeTargets are refused with what to do.
func TestServicesThatCannotBeTargets(t *testing.T) {
	for sentence, test := range map[string]struct {
		service func(*corev1.Service)
		canary  func(*v1beta1.Canary)
		reason  string
	}{
		"its addresses are listed by hand":      {func(s *corev1.Service) { s.Spec.Selector = nil }, ofService, "TargetRefused"},
		"another Service is named as the apex":  {nil, func(c *v1beta1.Canary) { ofService(c); c.Spec.Service.Name = "other" }, "ApexRefused"},
		"it lacks the port":                     {nil, func(c *v1beta1.Canary) { ofService(c); c.Spec.Service.Port = 80 }, "ServicePortMissing"},
		"it is Knative's":                       {nil, func(c *v1beta1.Canary) { ofService(c); c.Spec.TargetRef.APIVersion = "serving.knative.dev/v1" }, "UnsupportedTarget"},
		"an autoscaler has nothing to scale":    {nil, func(c *v1beta1.Canary) { ofService(c); autoscaled(c) }, "UnsupportedAutoscaler"},
		"an autoscaler cannot scale DaemonSets": {nil, func(c *v1beta1.Canary) { ofDaemonSet(c); autoscaled(c) }, "UnsupportedAutoscaler"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newWorld(t)
			s := w.service()
			if test.service != nil {
				test.service(s)
			}
			w.create(s, w.daemonSet("podinfo:6.0.0"), w.canary(test.canary))
			w.operate()
			w.eventually("it stalls for "+test.reason, func() bool {
				c := meta.FindStatusCondition(w.get().Status.Conditions, v1beta1.ConditionStalled)
				return c != nil && c.Reason == test.reason
			})
		})
	}
}

// TestAReleasedServiceLeadsToWhatIsPromoted: after a rollback it led to what was rejected, and the route
// leads to it again.
func TestAReleasedServiceLeadsToWhatIsPromoted(t *testing.T) {
	w := newWorld(t)
	w.runs("blue")
	w.runs("green")
	w.create(w.leading("blue"), w.canary(ofService))
	before := w.serviceNamed("podinfo")
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.prom.succeed(96.2)
	w.leadTo("green")
	w.ends(1)
	w.remove(w.get())
	w.goes()
	if diff := cmp.Diff(before.Spec, w.serviceNamed("podinfo").Spec); diff != "" {
		t.Errorf("the user's Service (-before +after):\n%s", diff)
	}
	if left := w.ours(); len(left) > 0 || !w.router.Released(w.key()) {
		t.Errorf("left behind: %v; the route is handed back: %t", left, w.router.Released(w.key()))
	}
}

// TestAServiceThatAToolKeepsIsNotLedBack: the tool would lead it to what was rejected again. What
// serves stays.
func TestAServiceThatAToolKeepsIsNotLedBack(t *testing.T) {
	w := newWorld(t)
	w.runs("blue")
	w.runs("green")
	kept := w.leading("blue")
	kept.Labels = map[string]string{"kustomize.toolkit.fluxcd.io/name": "apps"}
	w.create(kept, w.canary(ofService))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.prom.succeed(96.2)
	w.leadTo("green")
	w.ends(1)
	w.remove(w.get())
	w.goes()
	if primary, own := w.leadsTo("podinfo-primary"), w.leadsTo("podinfo"); primary != "blue" || own != "green" {
		t.Errorf("the primary leads to %s and the user's Service to %s", primary, own)
	}
	if w.router.Released(w.key()) || !w.isTold("TemplateKept") {
		t.Errorf("the route is handed back: %t, that it is not is told: %t", w.router.Released(w.key()), w.isTold("TemplateKept"))
	}
}
