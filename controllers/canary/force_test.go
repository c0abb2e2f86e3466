package canary_test

import (
	"context"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/controllers/canary"
	"github.com/serin-dev/serin/pkg/webhook"
)

// force does the work of an operator from here, with a client that has no cache.
func (w *world) force(ctx context.Context) error {
	return canary.Force(ctx, w.c, canary.Options{Provider: "fake", MetricsServer: "http://prometheus", SelectorLabels: []string{"app"}},
		canary.Deps{Routers: w.routers(), Metrics: w.metrics(), Alerts: w.alertTypes(), Hooks: webhook.New(nil, nil, "")}, w.key())
}

// TestForceReleasesWithoutAnOperator: in mid-run, with a template that is not promoted.
func TestForceReleasesWithoutAnOperator(t *testing.T) {
	w := newWorld(t)
	w.create(unkept(w), w.service(), w.canary(func(c *v1beta1.Canary) { c.Spec.Analysis.Interval = "30s" }))
	op := w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.setImage("podinfo:6.0.1")
	w.takesWeight(50)
	op.stop()
	if err := w.force(w.ctx); err == nil || !strings.Contains(err.Error(), "not been asked for") {
		t.Errorf("force on a Canary that nobody released: %v", err)
	}
	must(t, canary.AskRelease(w.ctx, w.c, w.get()))
	ctx, cancel := context.WithTimeout(w.ctx, time.Second)
	defer cancel()
	if err := w.force(ctx); err == nil || !strings.Contains(err.Error(), "is not released yet") {
		t.Errorf("force that has no time: %v", err)
	}
	must(t, w.force(w.ctx)) // it goes on where the first ended
	if c := w.get(); !canary.Released(c) {
		t.Errorf("phase %s, finalizers %v", c.Status.Phase, c.Finalizers)
	}
	w.handedBack("podinfo:6.0.0", 2)
}

// TestForceLetsADeletedCanaryGo that its operator left with a finalizer, and tells those who are told of
// it.
func TestForceLetsADeletedCanaryGo(t *testing.T) {
	w := newWorld(t)
	team, log := receive(t), receive(t)
	w.create(w.alertProvider(w.ns, "team", team), w.deployment("podinfo:6.0.0"), w.service(), w.canary(alerting(alertTo("team", "", "")),
		hooked(v1beta1.CanaryWebhook{Name: "log", Type: v1beta1.HookEvent, URL: log.URL})))
	op := w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	op.stop()
	w.remove(w.get())
	must(t, w.force(w.ctx))
	w.goes()
	w.handedBack("podinfo:6.0.0", 2)
	events, reports := team.events(t), log.payloads(t)
	if last := events[len(events)-1].Data; last.Phase != string(v1beta1.PhaseTerminated) {
		t.Errorf("the alert was last told %+v", last)
	}
	if last := reports[len(reports)-1].Metadata; last["eventReason"] != "Released" {
		t.Errorf("the event hook was last told %v", last)
	}
}

// TestForceByAUserOfTheNamespace who may not look into others.
func TestForceByAUserOfTheNamespace(t *testing.T) {
	w, op := onGloo(t)
	op.stop()
	must(t, canary.AskRelease(w.ctx, w.c, w.get()))
	team := rest.CopyConfig(w.cfg)
	team.Impersonate = rest.ImpersonationConfig{UserName: "team-" + w.ns, Groups: []string{"system:authenticated"}}
	w.create(
		&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: w.ns, Name: "team"}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}}},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: w.ns, Name: "team"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "team"},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: team.Impersonate.UserName}}},
	)
	c, err := client.New(team, client.Options{Scheme: newScheme()})
	must(t, err)
	w.c, c = c, w.c
	must(t, w.force(w.ctx))
	w.c = c
	if c := w.get(); !canary.Released(c) {
		t.Errorf("phase %s, finalizers %v", c.Status.Phase, c.Finalizers)
	}
}

// TestForceBesideAnOperator: both do the same, by the same status.
func TestForceBesideAnOperator(t *testing.T) {
	w, _ := adopted(t)
	w.remove(w.get())
	must(t, w.force(w.ctx))
	w.goes()
	w.handedBack("podinfo:6.0.0", 2)
	if n := w.reasons()["Released"]; n != 1 {
		t.Errorf("%d events say that it was released", n)
	}
}
