package canary_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
)

func ofDaemonSet(c *v1beta1.Canary) { c.Spec.TargetRef.Kind = "DaemonSet" }

func (w *world) daemonSet(image string) *appsv1.DaemonSet {
	from := w.deployment(image)
	return &appsv1.DaemonSet{ObjectMeta: from.ObjectMeta, Spec: appsv1.DaemonSetSpec{Selector: from.Spec.Selector, Template: from.Spec.Template}}
}

func (w *world) daemonSetNamed(name string) *appsv1.DaemonSet {
	w.t.Helper()
	d := &appsv1.DaemonSet{}
	w.read(name, d)
	return d
}

func (w *world) setDaemonImage(image string) {
	w.t.Helper()
	alter(w, "podinfo", &appsv1.DaemonSet{}, func(d *appsv1.DaemonSet) { d.Spec.Template.Spec.Containers[0].Image = image })
}

// TestADaemonSetIsRolledOut: adopted, promoted and rolled back, with a pod on each of three nodes.
func TestADaemonSetIsRolledOut(t *testing.T) {
	w := newWorld(t)
	w.create(w.daemonSet("podinfo:6.0.0"), w.service(), w.canary(ofDaemonSet))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.daemonSetsAtRest("podinfo:6.0.0")
	if got := w.daemonSetNamed("podinfo").Annotations[v1beta1.OriginalNodeSelectorAnnotation]; got != "null" {
		t.Errorf("the original node selector is kept as %q, want null", got)
	}
	w.setDaemonImage("podinfo:6.0.1")
	w.takesWeight(50)
	if got := w.daemonSetNamed("podinfo-canary").Status.NumberAvailable; got != 3 {
		t.Errorf("the canary takes traffic with %d pods, want one on each of 3 nodes", got)
	}
	c := w.ends(1)
	if c.Status.Phase != v1beta1.PhaseSucceeded {
		t.Errorf("ended as %s\n%s", c.Status.Phase, w.story())
	}
	for _, e := range c.Status.Journal {
		if e.Reason == "NewRevision" && !strings.Contains(e.Next, "Starting 3 canary pods") {
			t.Errorf("the start says %q, want all nodes' pods", e.Next)
		}
	}
	w.daemonSetsAtRest("podinfo:6.0.1")
	w.prom.succeed(96.2)
	w.setDaemonImage("podinfo:6.0.2")
	if c := w.ends(2); c.Status.Phase != v1beta1.PhaseFailed {
		t.Errorf("ended as %s\n%s", c.Status.Phase, w.story())
	}
	w.daemonSetsAtRest("podinfo:6.0.1")
	if diff := cmp.Diff(split(0, 50, 0, 50, 0), w.router.Shifts(w.key())); diff != "" {
		t.Errorf("the route's weights (-want +got):\n%s", diff)
	}
}

// daemonSetsAtRest: emptying is no change of the revision, so no rollout follows it.
func (w *world) daemonSetsAtRest(image string) {
	w.t.Helper()
	off := map[string]string{v1beta1.ScaleToZeroKey: "true"}
	for name, want := range map[string]map[string]string{"podinfo": off, "podinfo-canary": off, "podinfo-primary": nil} {
		set := w.daemonSetNamed(name)
		if diff := cmp.Diff(want, set.Spec.Template.Spec.NodeSelector); diff != "" {
			w.t.Errorf("node selector of %s (-want +got):\n%s", name, diff)
		}
		if got := set.Spec.Template.Spec.Containers[0].Image; name == "podinfo-primary" && got != image {
			w.t.Errorf("the primary runs %s, want %s", got, image)
		}
	}
}

// TestADaemonSetThatSomebodyTurnsOnIsEmptiedAgain, and its snapshot is still the promoted one.
func TestADaemonSetThatSomebodyTurnsOnIsEmptiedAgain(t *testing.T) {
	w := newWorld(t)
	w.create(w.daemonSet("podinfo:6.0.0"), w.service(), w.canary(ofDaemonSet))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	alter(w, "podinfo", &appsv1.DaemonSet{}, func(d *appsv1.DaemonSet) { d.Spec.Template.Spec.NodeSelector = nil })
	w.eventually("it is emptied again and that is told", func() bool {
		return w.isTold("TargetScaled") && w.daemonSetNamed("podinfo").Spec.Template.Spec.NodeSelector[v1beta1.ScaleToZeroKey] == "true"
	})
	for _, e := range w.events() {
		if want := "podinfo was given pods. It is a template and goes back to none; podinfo-primary serves"; e.Reason == "TargetScaled" && e.Message != want {
			t.Errorf("the event says %q, want %q", e.Message, want)
		}
	}
	if r := w.get().Status.Rollout; r != nil {
		t.Errorf("a rollout began\n%s", w.story())
	}
}

// TestADeletedCanaryHandsADaemonSetBack: with a rejected template, it gets the promoted one and its nodes.
func TestADeletedCanaryHandsADaemonSetBack(t *testing.T) {
	w := newWorld(t)
	set := w.daemonSet("podinfo:6.0.0")
	set.Annotations, set.Labels = nil, nil
	w.create(set, w.service(), w.canary(ofDaemonSet))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.prom.succeed(90)
	w.setDaemonImage("podinfo:6.0.1")
	w.ends(1)
	w.remove(w.get())
	w.goes()
	got := w.daemonSetNamed("podinfo")
	if image := got.Spec.Template.Spec.Containers[0].Image; image != "podinfo:6.0.0" || len(got.Spec.Template.Spec.NodeSelector) > 0 || got.Status.NumberAvailable != 3 {
		t.Errorf("podinfo has %d pods of %s on nodes %v", got.Status.NumberAvailable, image, got.Spec.Template.Spec.NodeSelector)
	}
	if _, ok := got.Annotations[v1beta1.OriginalNodeSelectorAnnotation]; ok || len(w.ours()) > 0 || w.find("podinfo-primary", &appsv1.DaemonSet{}) {
		t.Errorf("left behind: %v, %v", w.ours(), got.Annotations)
	}
}

// TestAChangeOfAConfigMapWakesADaemonSet: nothing else changes that would.
func TestAChangeOfAConfigMapWakesADaemonSet(t *testing.T) {
	w := newWorld(t)
	from := w.configured()
	w.create(w.configMap("podinfo-config", "color: blue"), w.secret("podinfo-token", "s3cr3t"), w.service(), w.canary(ofDaemonSet),
		&appsv1.DaemonSet{ObjectMeta: from.ObjectMeta, Spec: appsv1.DaemonSetSpec{Selector: from.Spec.Selector, Template: from.Spec.Template}})
	op := w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.observed(op)
	w.configure("color: red")
	if c := w.ends(1); c.Status.Phase != v1beta1.PhaseSucceeded {
		t.Errorf("ended as %s\n%s", c.Status.Phase, w.story())
	}
}
