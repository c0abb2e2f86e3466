package canary_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// command writes one as kubectl serin does and waits for the answer, which it returns with the time it took.
func (w *world) command(text string) (v1beta1.CommandStatus, time.Duration) {
	w.t.Helper()
	id := fmt.Sprintf("%d", time.Now().UnixNano())
	begun := time.Now()
	w.edit(func(c *v1beta1.Canary) {
		if c.Annotations == nil {
			c.Annotations = map[string]string{}
		}
		c.Annotations[v1beta1.CommandAnnotation] = text + " id=" + id + " by=alice"
	})
	w.eventually("the command is answered", func() bool {
		c := w.get().Status.Command
		return c != nil && c.ID == id
	})
	return *w.get().Status.Command, time.Since(begun)
}

// TestARunIsSteeredByHand pauses, goes on, and aborts; each answer says what is done and by whom.
func TestARunIsSteeredByHand(t *testing.T) {
	w, _ := adopted(t, func(c *v1beta1.Canary) { c.Spec.Analysis.StepWeights = []int32{20, 50} })
	w.setImage("podinfo:6.0.1")
	w.takesWeight(20)
	answer, _ := w.command("pause")
	if answer.Refused || answer.By != "alice" || !answer.SelfReported || !strings.Contains(answer.Message, "stays at") {
		t.Errorf("the answer is %+v", answer)
	}
	at := w.get().Status.CanaryWeight
	w.stays("it does not go on", 2500*time.Millisecond, func() bool { return w.get().Status.CanaryWeight == at })
	if answer, _ := w.command("promote --full"); answer.Refused {
		t.Errorf("promote --full was refused: %+v", answer)
	}
	if c := w.ends(1); c.Status.Phase != v1beta1.PhaseSucceeded || c.Status.Promoted.Image != "podinfo:6.0.1" {
		t.Errorf("ended as %s\n%s", c.Status.Phase, w.story())
	}
	if answer, _ := w.command("abort"); !answer.Refused || !strings.Contains(answer.Message, "no rollout is under way") {
		t.Errorf("an abort at rest is answered %+v", answer)
	}
	w.edit(func(c *v1beta1.Canary) {
		c.Annotations[v1beta1.CommandAnnotation] = "pause " + strings.Repeat("x", 5000)
	})
	w.eventually("a command that no status can hold is refused", func() bool {
		c := w.get().Status.Command
		return c.Refused && strings.Contains(c.Message, "it may have 1000")
	})
	if n := w.reasons()["CommandTaken"]; n != 2 {
		t.Errorf("%d events of commands, want 2", n)
	}
}

// TestARollbackLeavesTheTemplateAlone: an earlier image serves again while the template keeps what the
// user wrote, which is held as rejected, by a restart of the operator too.
func TestARollbackLeavesTheTemplateAlone(t *testing.T) {
	w, op := adopted(t, func(c *v1beta1.Canary) { c.Spec.RollbackWindow = &v1beta1.RollbackWindow{Revisions: 1} })
	w.setImage("podinfo:6.0.1")
	w.ends(1)
	before := w.deploymentNamed("podinfo").Spec.Template
	answer, _ := w.command("rollback --to-image=6.0.0")
	if answer.Refused || !strings.Contains(answer.Message, "rollbackWindow 1") {
		t.Fatalf("the answer is %+v", answer)
	}
	if c := w.ends(2); c.Status.Promoted.Image != "podinfo:6.0.0" || c.Status.Phase != v1beta1.PhaseSucceeded {
		t.Errorf("ended as %s with %s\n%s", c.Status.Phase, c.Status.Promoted.Image, w.story())
	}
	w.atRest("podinfo:6.0.0")
	if diff := cmp.Diff(before, w.deploymentNamed("podinfo").Spec.Template); diff != "" {
		t.Errorf("the user's template was changed:\n%s", diff)
	}
	op.stop()
	w.observed(w.operate())
	if n := len(w.get().Status.History); n != 2 {
		t.Errorf("%d rollouts, want 2\n%s", n, w.story())
	}
	if shifts := w.router.Shifts(w.key()); len(shifts) != 3 {
		t.Errorf("the route stood at %v: a rollback within the window gives no traffic to the canary", shifts)
	}
}

// TestARestartReplacesThePodsThatServe by another mark on the primary's template, and starts no rollout.
func TestARestartReplacesThePodsThatServe(t *testing.T) {
	w, _ := adopted(t)
	old := w.deploymentNamed("podinfo-primary").Generation
	if answer, _ := w.command("restart"); answer.Refused {
		t.Fatalf("the answer is %+v", answer)
	}
	w.eventually("the primary is marked", func() bool {
		d := w.deploymentNamed("podinfo-primary")
		return d.Generation > old && d.Spec.Template.Annotations[v1beta1.RestartedAnnotation] != ""
	})
	if c := w.get(); len(c.Status.History) != 0 || c.Status.Phase != v1beta1.PhaseInitialized {
		t.Errorf("phase %s with %d rollouts", c.Status.Phase, len(c.Status.History))
	}
}

// TestWhatFailsWhileItBakesGoesBackAtOnce: the revision before is warm and gets all of the traffic.
func TestWhatFailsWhileItBakesGoesBackAtOnce(t *testing.T) {
	w, _ := adopted(t, func(c *v1beta1.Canary) { c.Spec.Analysis.BakeTime = "10m" })
	w.setImage("podinfo:6.0.1")
	w.eventually("the revision before is warm", func() bool {
		d := w.deploymentNamed("podinfo-canary")
		return w.get().Status.Reason == "Baking" && d.Status.AvailableReplicas == 2 && d.Spec.Template.Spec.Containers[0].Image == "podinfo:6.0.0"
	})
	w.prom.succeed(96.2)
	c := w.ends(1)
	if c.Status.Phase != v1beta1.PhaseFailed || c.Status.History[0].Reason != "BakeFailed" {
		t.Errorf("ended as %s: %s\n%s", c.Status.Phase, c.Status.History[0].Reason, w.story())
	}
	if diff := cmp.Diff(split(0, 50, 0, 100, 0), w.router.Shifts(w.key())); diff != "" {
		t.Errorf("the route's weights (-want +got):\n%s", diff)
	}
	w.atRest("podinfo:6.0.0")
}

// TestOthersGoFirst: a canary waits for the one it depends on, says so, and begins when that is done.
func TestOthersGoFirst(t *testing.T) {
	w, _ := adopted(t, func(c *v1beta1.Canary) {
		c.Spec.DependsOn = []v1beta1.CrossNamespaceNameReference{{Name: "database"}}
		c.Spec.Concurrency = &v1beta1.Concurrency{Max: 1}
	})
	w.setImage("podinfo:6.0.1")
	w.eventually("it waits", func() bool {
		c := w.get()
		return c.Status.Reason == "WaitingForOthers" && strings.Contains(w.story(), "database does not exist (dependsOn)")
	})
	w.createCanaryOf("database", func(c *v1beta1.Canary) { c.Spec.Analysis.Interval = "3s" })
	w.eventually("the rollout begins when the other is at rest", func() bool { return w.get().Status.Rollout != nil })
	w.ends(1)

	alter(w, "database", &appsv1.Deployment{}, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "database:2" })
	var database v1beta1.Canary
	w.eventually("the other rolls out", func() bool { w.read("database", &database); return database.Status.Rollout != nil })
	w.setImage("podinfo:6.0.2")
	w.eventually("it waits, and says for whom and why", func() bool {
		story := w.story()
		return strings.Contains(story, "/database has a rollout under way (dependsOn)") &&
			strings.Contains(story, "1 of at most 1 rollouts of namespace "+w.ns+" are under way: database (concurrency)")
	})
	w.ends(2)
	w.read("database", &database)
	if database.Status.Rollout.EndedAt.After(w.get().Status.Rollout.StartedAt.Time) {
		t.Errorf("began at %s, before the other ended at %s", w.get().Status.Rollout.StartedAt, database.Status.Rollout.EndedAt)
	}
}

// TestAServiceGoesFirst as anything else does that a canary depends on.
func TestAServiceGoesFirst(t *testing.T) {
	w, _ := adopted(t, func(c *v1beta1.Canary) { c.Spec.DependsOn = []v1beta1.CrossNamespaceNameReference{{Name: "database"}} })
	w.createCanaryOf("database", ofService)
	w.eventually("the Service is adopted", func() bool { return w.phaseOf("database") == v1beta1.PhaseInitialized })
	w.setImage("podinfo:6.0.1")
	w.ends(1)
}

// TestWhoWaitsForARevisionThatIsTakenBackGoesOn: the one that it waits for has nothing to come to rest from.
func TestWhoWaitsForARevisionThatIsTakenBackGoesOn(t *testing.T) {
	w, _ := adopted(t, func(c *v1beta1.Canary) { c.Spec.DependsOn = []v1beta1.CrossNamespaceNameReference{{Name: "database"}} })
	w.createCanaryOf("database")
	w.eventually("the other is adopted", func() bool { return w.phaseOf("database") == v1beta1.PhaseInitialized })
	alter(w, "database", &v1beta1.Canary{}, func(c *v1beta1.Canary) { c.Spec.Suspend = true })
	database := func(image string) {
		alter(w, "database", &appsv1.Deployment{}, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = image })
	}
	database("database:2")
	w.eventually("the other holds it", func() bool {
		var c v1beta1.Canary
		w.read("database", &c)
		return c.Status.SuspendedAt != nil
	})
	w.setImage("podinfo:6.0.1")
	w.eventually("it waits", func() bool {
		return strings.Contains(w.story(), "/database has a new revision to roll out first (dependsOn)")
	})
	database("database:1")
	w.ends(1)
}

// TestThePlaceOfOneThatIsDoneIsTaken: whoever waits for a limit alone is woken when there is room.
func TestThePlaceOfOneThatIsDoneIsTaken(t *testing.T) {
	w, _ := adopted(t, func(c *v1beta1.Canary) { c.Spec.Concurrency = &v1beta1.Concurrency{Max: 1} })
	w.createCanaryOf("database", func(c *v1beta1.Canary) { c.Spec.Analysis.Interval = "3s" })
	var database v1beta1.Canary
	w.eventually("the other is adopted", func() bool { w.read("database", &database); return database.Status.Phase == v1beta1.PhaseInitialized })
	alter(w, "database", &appsv1.Deployment{}, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "database:2" })
	w.eventually("the other rolls out", func() bool { w.read("database", &database); return database.Status.Rollout != nil })
	w.setImage("podinfo:6.0.1")
	w.eventually("it waits", func() bool { return strings.Contains(w.story(), "database (concurrency)") })
	w.ends(1)
}
