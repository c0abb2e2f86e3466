package canary_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
)

// unkept takes the marks of other tools off podinfo: nobody writes its template again.
func unkept(w *world) *appsv1.Deployment {
	d := w.deployment("podinfo:6.0.0")
	d.Annotations, d.Labels = nil, map[string]string{"app": "podinfo"}
	return d
}

// adoptedUnkept is a world whose podinfo nobody keeps but its users.
func adoptedUnkept(t *testing.T, edits ...func(*v1beta1.Canary)) *world {
	t.Helper()
	w := newWorld(t)
	w.create(unkept(w), w.service(), w.canary(edits...))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	return w
}

func (w *world) remove(o client.Object, opts ...client.DeleteOption) {
	w.t.Helper()
	must(w.t, client.IgnoreNotFound(w.c.Delete(w.ctx, o, opts...)))
}

// goes waits until the Canary is gone.
func (w *world) goes() {
	w.t.Helper()
	w.eventually("the Canary is gone", func() bool { return !w.find("podinfo", &v1beta1.Canary{}) })
}

// ours lists what carries Serin's label, but for slices that go with their Service.
func (w *world) ours() []string {
	w.t.Helper()
	var out []string
	for _, l := range []client.ObjectList{&appsv1.DeploymentList{}, &corev1.ServiceList{}, &discoveryv1.EndpointSliceList{},
		&appsv1.ControllerRevisionList{}, &autoscalingv2.HorizontalPodAutoscalerList{}} {
		must(w.t, w.c.List(w.ctx, l, client.InNamespace(w.ns), client.HasLabels{v1beta1.CanaryLabel}))
		must(w.t, meta.EachListItem(l, func(o runtime.Object) error {
			if obj := o.(client.Object); len(obj.GetOwnerReferences()) == 0 {
				out = append(out, obj.GetName())
			}
			return nil
		}))
	}
	return out
}

// handedBack asserts that podinfo serves by itself, and that nothing of Serin is left.
func (w *world) handedBack(image string, replicas int32) {
	w.t.Helper()
	d := w.deploymentNamed("podinfo")
	if got := d.Spec.Template.Spec.Containers[0].Image; got != image || *d.Spec.Replicas < replicas || d.Status.AvailableReplicas < replicas {
		w.t.Errorf("podinfo has %d of %d pods of %s, want %d of %s", d.Status.AvailableReplicas, *d.Spec.Replicas, got, replicas, image)
	}
	var apex corev1.Service
	w.read("podinfo", &apex)
	if len(apex.Spec.Selector) != 1 || apex.Spec.Selector["app"] != "podinfo" {
		w.t.Errorf("Service podinfo selects %v, want app=podinfo", apex.Spec.Selector)
	}
	for _, o := range []client.Object{d, &apex} {
		for k := range o.GetAnnotations() {
			if strings.HasPrefix(k, "serin.dev/") {
				w.t.Errorf("%T podinfo keeps annotation %s", o, k)
			}
		}
	}
	if left := w.ours(); len(left) > 0 {
		w.t.Errorf("left behind: %v", left)
	}
	if !w.router.Released(w.key()) {
		w.t.Error("the route was not handed back")
	}
}

func TestADeletedCanaryHandsBack(t *testing.T) {
	w, _ := adopted(t)
	c := w.get()
	if !slices.Contains(c.Finalizers, v1beta1.ReleaseFinalizer) {
		t.Fatalf("finalizers %v after the adoption", c.Finalizers)
	}
	w.scale("podinfo", 3) // which sizes the primary
	w.eventually("the primary has three pods", func() bool { return w.deploymentNamed("podinfo-primary").Status.AvailableReplicas == 3 })
	w.remove(c)
	w.goes()
	w.handedBack("podinfo:6.0.0", 3)
	if n := w.reasons()["Released"]; n != 1 {
		t.Errorf("%d events say that it was released, want 1", n)
	}
}

// TestADeletionInMidRunEndsTheRolloutFirst: all traffic goes back to the primary, the template under
// analysis is replaced, and the Service has a bridge while it turns.
func TestADeletionInMidRunEndsTheRolloutFirst(t *testing.T) {
	w := adoptedUnkept(t, func(c *v1beta1.Canary) { c.Spec.Analysis.Interval = "30s" })
	w.setImage("podinfo:6.0.1")
	w.takesWeight(50)
	w.remove(w.get())
	bridged := false
	w.eventually("the Service selects the target again", func() bool {
		var l discoveryv1.EndpointSliceList
		must(t, w.c.List(w.ctx, &l, client.InNamespace(w.ns),
			client.MatchingLabels{discoveryv1.LabelServiceName: "podinfo", discoveryv1.LabelManagedBy: "serin.dev"}))
		for _, s := range l.Items {
			bridged = bridged || s.Labels[v1beta1.RoleLabel] == v1beta1.RoleRelease && len(s.Endpoints) == 2
		}
		var apex corev1.Service
		w.read("podinfo", &apex)
		return apex.Spec.Selector["app"] == "podinfo"
	})
	if !bridged {
		t.Error("the Service turned without a bridge")
	}
	w.goes()
	w.handedBack("podinfo:6.0.0", 2)
	if got := w.router.Shifts(w.key()); got[len(got)-1] != router.Split(0) {
		t.Errorf("weights %v before the route was handed back, want the last at zero", got)
	}
}

// TestATemplateThatAToolKeepsStaysAsItIs: Argo CD would write the rejected template again, so the
// primary goes on serving, without our marks.
func TestATemplateThatAToolKeepsStaysAsItIs(t *testing.T) {
	w, _ := adopted(t)
	w.prom.succeed(90)
	w.setImage("podinfo:6.0.1")
	w.ends(1)
	w.remove(w.get())
	w.goes()
	if got := w.deploymentNamed("podinfo").Spec.Template.Spec.Containers[0].Image; got != "podinfo:6.0.1" {
		t.Errorf("the template is %s now", got)
	}
	p := w.deploymentNamed("podinfo-primary")
	if p.Labels[v1beta1.CanaryLabel] != "" || p.Status.AvailableReplicas < 1 {
		t.Errorf("the primary: labels %v, %d pods", p.Labels, p.Status.AvailableReplicas)
	}
	var apex corev1.Service
	w.read("podinfo", &apex)
	if got := apex.Spec.Selector["app"]; got != "podinfo-primary" {
		t.Errorf("the Service selects %s", got)
	}
	if w.find("podinfo-canary", &appsv1.Deployment{}) || !w.router.Released(w.key()) {
		t.Error("the canary or the route was left")
	}
	if w.reasons()["TemplateKept"] != 1 {
		t.Errorf("events %v do not say why the primary stays", w.reasons())
	}
}

// TestContentsThatAreNotPromotedAreNotHandedBack: the template refers to the user's own ConfigMap, which
// is never written. So the primary goes on serving, with the copy that it has.
func TestContentsThatAreNotPromotedAreNotHandedBack(t *testing.T) {
	w := newWorld(t)
	w.create(w.configMap("podinfo-config", "color: blue"), w.secret("podinfo-token", "s3cr3t"), w.service(), w.canary(),
		w.configured(func(d *appsv1.Deployment) { d.Annotations, d.Labels = nil, nil })) // no tool keeps the template
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.prom.succeed(90)
	w.configure("color: red")
	w.ends(1)
	w.remove(w.get())
	w.goes()
	if n := *w.deploymentNamed("podinfo").Spec.Replicas; n != 0 {
		t.Errorf("podinfo has %d pods, which run with what was rejected", n)
	}
	p := w.deploymentNamed("podinfo-primary")
	if p.Labels[v1beta1.CanaryLabel] != "" || p.Status.AvailableReplicas != 2 || w.contents("podinfo-primary") != "color: blue" {
		t.Errorf("the primary: labels %v, %d pods with %s", p.Labels, p.Status.AvailableReplicas, w.contents("podinfo-primary"))
	}
	var apex corev1.Service
	w.read("podinfo", &apex)
	if got := apex.Spec.Selector["app"]; got != "podinfo-primary" {
		t.Errorf("the Service selects %s", got)
	}
	var own corev1.ConfigMap
	w.read("podinfo-config", &own)
	if own.Data["config.yaml"] != "color: red" || !w.router.Released(w.key()) {
		t.Errorf("the user's ConfigMap holds %s, the route is released: %t", own.Data["config.yaml"], w.router.Released(w.key()))
	}
	for _, e := range w.events() {
		if want := "ConfigMap podinfo-config changed since podinfo:6.0.0 was promoted"; e.Reason == "ContentsNotPromoted" && strings.Contains(e.Message, want) {
			return
		}
	}
	t.Errorf("events %v do not say why the primary stays", w.reasons())
}

// TestContentsThatWerePutBackAreHandedBack, under another version than they were promoted with.
func TestContentsThatWerePutBackAreHandedBack(t *testing.T) {
	w, op := adoptedWith(t, nil)
	op.stop()
	w.configure("color: red")
	w.configure("color: blue")
	w.remove(w.get())
	w.operate()
	w.goes()
	w.handedBack("podinfo:6.0.0", 2)
}

// TestWhatOnlyHasTheLabelIsLeftAlone, while Serin works and when it goes: users put labels on all of an
// application's objects, and some copy ours with them.
func TestWhatOnlyHasTheLabelIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	meta := w.meta("podinfo-own")
	meta.Labels = map[string]string{v1beta1.CanaryLabel: "podinfo", v1beta1.RoleLabel: v1beta1.RolePrimary}
	workers := w.deployment("podinfo:6.0.0")
	workers.ObjectMeta = meta
	workers.Spec.Selector.MatchLabels, workers.Spec.Template.Labels = map[string]string{"app": "own"}, map[string]string{"app": "own"}
	service, hpa := w.service(), w.autoscaler()
	service.ObjectMeta, service.Spec.Selector, hpa.ObjectMeta, hpa.Spec.ScaleTargetRef.Name = meta, workers.Spec.Selector.MatchLabels, meta, "podinfo-own"
	budget := &policyv1.PodDisruptionBudget{ObjectMeta: meta, Spec: policyv1.PodDisruptionBudgetSpec{Selector: workers.Spec.Selector}}
	config := w.configMap("podinfo-own", "a")
	config.ObjectMeta = meta
	history := &appsv1.ControllerRevision{ObjectMeta: meta, Data: runtime.RawExtension{Raw: []byte(`{}`)}}
	own := []client.Object{workers, service, hpa, budget, config, history}
	w.create(own...)
	w.create(w.deployment("podinfo:6.0.0"), w.service(), w.canary())
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.remove(w.get())
	w.goes()
	for _, o := range own {
		if !w.find("podinfo-own", o) || !o.GetDeletionTimestamp().IsZero() || o.GetLabels()[v1beta1.CanaryLabel] != "podinfo" {
			t.Errorf("%T: gone, or without its labels: %v", o, o.GetLabels())
		}
	}
	for _, name := range w.ours() {
		if name != "podinfo-own" {
			t.Errorf("left behind: %s", name)
		}
	}
}

// TestWhatComesTooLateGoes, whenever it comes: an operator that stood still during the release makes what it was
// about to make. What users put in place of ours is theirs.
func TestWhatComesTooLateGoes(t *testing.T) {
	w, _ := adoptedWith(t, nil)
	made := w.made()
	w.remove(w.get())
	w.goes()
	w.handedBack("podinfo:6.0.0", 2)
	if len(made) != 4 {
		t.Errorf("%d objects were made, want two Services, a snapshot and its copy", len(made))
	}
	for _, o := range made {
		o.SetResourceVersion("")
		o.SetUID("")
		o.SetManagedFields(nil)
		if s, ok := o.(*corev1.Service); ok {
			s.Spec.ClusterIP, s.Spec.ClusterIPs = "", nil
		}
	}
	users := made[0].DeepCopyObject().(client.Object)
	w.create(users)
	for _, o := range made[1:] { // one after the other: each of them has to wake the operator
		must(t, w.c.Create(w.ctx, o, client.FieldOwner(v1beta1.FieldManager)))
		w.eventually("what came too late is gone", func() bool { return len(w.made()) == 1 })
	}
	if !w.find(users.GetName(), users) || !users.GetDeletionTimestamp().IsZero() {
		t.Errorf("Service %s, which a user made, is gone", users.GetName())
	}
}

// made are the Services of the two sides, the snapshots and their copies.
func (w *world) made() []client.Object {
	w.t.Helper()
	var out []client.Object
	for _, l := range []client.ObjectList{&corev1.ServiceList{}, &appsv1.ControllerRevisionList{}, &corev1.ConfigMapList{}} {
		must(w.t, w.c.List(w.ctx, l, client.InNamespace(w.ns), client.HasLabels{v1beta1.CanaryLabel}))
		must(w.t, meta.EachListItem(l, func(o runtime.Object) error {
			out = append(out, o.(client.Object))
			return nil
		}))
	}
	return out
}

// TestForegroundDeletion: nothing of Serin's is collected before it is handed back, as nothing has the
// Canary for its owner.
func TestForegroundDeletion(t *testing.T) {
	w, _ := adopted(t)
	for _, l := range []client.ObjectList{&appsv1.DeploymentList{}, &corev1.ServiceList{}, &discoveryv1.EndpointSliceList{}, &appsv1.ControllerRevisionList{}} {
		must(t, w.c.List(w.ctx, l, client.InNamespace(w.ns)))
		must(t, meta.EachListItem(l, func(o runtime.Object) error {
			for _, ref := range o.(client.Object).GetOwnerReferences() {
				if ref.Kind == "Canary" {
					t.Errorf("%T %s is owned by the Canary", o, o.(client.Object).GetName())
				}
			}
			return nil
		}))
	}
	w.remove(w.get(), client.PropagationPolicy(metav1.DeletePropagationForeground))
	w.eventually("only the garbage collector holds the Canary", func() bool {
		return slices.Equal(w.get().Finalizers, []string{metav1.FinalizerDeleteDependents})
	})
	w.handedBack("podinfo:6.0.0", 2)
	w.edit(func(c *v1beta1.Canary) { c.Finalizers = nil }) // there is no garbage collector here
	w.goes()
}

func TestRevertOnDeletionFalseLeavesThingsAsTheyStand(t *testing.T) {
	w, _ := adopted(t, leavesAll)
	if f := w.get().Finalizers; len(f) > 0 {
		t.Errorf("finalizers %v", f)
	}
	w.edit(func(c *v1beta1.Canary) { c.Spec.RevertOnDeletion = nil })
	w.eventually("the finalizer is there", func() bool { return len(w.get().Finalizers) == 1 })
	w.edit(func(c *v1beta1.Canary) { c.Spec.RevertOnDeletion = new(false) })
	w.eventually("the finalizer is gone", func() bool { return len(w.get().Finalizers) == 0 })
	w.remove(w.get())
	w.goes()
	w.stays("the primary serves", time.Second, func() bool { return w.deploymentNamed("podinfo-primary").Status.AvailableReplicas == 2 })
	if n := *w.deploymentNamed("podinfo").Spec.Replicas; n != 0 {
		t.Errorf("podinfo has %d pods", n)
	}
}

// TestAnAnnotationReleasesAndKeepsTheCanary, and its removal has the target adopted again.
func TestAnAnnotationReleasesAndKeepsTheCanary(t *testing.T) {
	w, op := adopted(t)
	w.edit(func(c *v1beta1.Canary) { c.Annotations = map[string]string{v1beta1.ReleaseAnnotation: "true"} })
	w.reaches(v1beta1.PhaseTerminated)
	w.handedBack("podinfo:6.0.0", 2)
	w.eventually("the finalizer is gone and all is told", func() bool { return len(w.get().Finalizers) == 0 && w.toldAll() })
	w.observed(op)
	before := len(op.requests.writes())
	w.setImage("podinfo:6.0.1")
	w.stays("what is released is left alone", time.Second, func() bool { return len(op.requests.writes()) == before })
	w.edit(func(c *v1beta1.Canary) { c.Annotations = nil })
	w.reaches(v1beta1.PhaseInitialized)
	if p := w.get().Status.Promoted; p.Image != "podinfo:6.0.1" {
		t.Errorf("promoted after the second adoption: %+v", p)
	}
}

// TestAKilledOperatorsReleaseIsTakenUp: the release goes on where the first operator left it.
func TestAKilledOperatorsReleaseIsTakenUp(t *testing.T) {
	w, op := adopted(t)
	w.remove(w.get())
	w.eventually("the release has begun", func() bool { return w.get().Status.Phase == v1beta1.PhaseTerminating })
	op.stop()
	w.operate()
	w.goes()
	w.handedBack("podinfo:6.0.0", 2)
}

// TestAnOperatorThatGoesWithItsNamespaceLetsGo: with the pods, which go first, goes the operator.
func TestAnOperatorThatGoesWithItsNamespaceLetsGo(t *testing.T) {
	w, op := adopted(t)
	w.remove(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.ns}})
	op.stop()
	if f := w.get().Finalizers; len(f) > 0 {
		t.Errorf("finalizers %v: the namespace cannot end", f)
	}
}

// TestANamespaceWithoutPodsIsLetGoBeforeItsCanary: what gives the operator its rights may go with the
// same namespace, and before the Canary does.
func TestANamespaceWithoutPodsIsLetGoBeforeItsCanary(t *testing.T) {
	w, _ := adopted(t)
	w.remove(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.ns}})
	w.eventually("the pods are gone and the Canary is free", func() bool {
		must(t, w.c.DeleteAllOf(w.ctx, &corev1.Pod{}, client.InNamespace(w.ns), client.GracePeriodSeconds(0)))
		return len(w.get().Finalizers) == 0
	})
}

// TestThingsMayBeDeletedInAnyOrder: a Canary, its autoscaler, its Deployment and its namespace are
// deleted in all 24 orders, one right after the other. No finalizer keeps the Canary.
func TestThingsMayBeDeletedInAnyOrder(t *testing.T) {
	for _, order := range permutations("Canary", "HPA", "Deployment", "Namespace") {
		t.Run(strings.Join(order, " "), func(t *testing.T) {
			w := newWorld(t)
			w.create(w.deployment("podinfo:6.0.0"), w.service(), w.autoscaler(), w.canary(func(c *v1beta1.Canary) {
				c.Spec.AutoscalerRef = &v1beta1.AutoscalerReference{APIVersion: "autoscaling/v2", Kind: "HorizontalPodAutoscaler", Name: "podinfo"}
			}))
			w.operate()
			w.reaches(v1beta1.PhaseInitialized)
			for _, what := range order {
				w.remove(map[string]client.Object{
					"Canary": w.canary(), "HPA": w.autoscaler(), "Deployment": w.deployment(""),
					"Namespace": &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.ns}},
				}[what])
				time.Sleep(20 * time.Millisecond) // the operator may have seen it, or not
			}
			w.goes()
		})
	}
}

func permutations(of ...string) [][]string {
	if len(of) < 2 {
		return [][]string{of}
	}
	var out [][]string
	for i, first := range of {
		rest := slices.Concat(of[:i], of[i+1:])
		for _, p := range permutations(rest...) {
			out = append(out, append([]string{first}, p...))
		}
	}
	return out
}
