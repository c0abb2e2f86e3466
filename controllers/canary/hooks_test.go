package canary_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/webhook"
)

func hooked(hooks ...v1beta1.CanaryWebhook) func(*v1beta1.Canary) {
	return func(c *v1beta1.Canary) { c.Spec.Analysis.Webhooks = hooks }
}

func (r *receiver) payloads(t *testing.T) []webhook.Payload {
	t.Helper()
	var all []webhook.Payload
	for _, p := range r.posts() {
		var got webhook.Payload
		must(t, json.Unmarshal(p.body, &got))
		all = append(all, got)
	}
	return all
}

// TestEveryHookIsCalledInItsTime: all eight kinds in one rollout, each with what it is sent.
func TestEveryHookIsCalledInItsTime(t *testing.T) {
	w := newWorld(t)
	kinds := []string{v1beta1.HookConfirmRollout, v1beta1.HookPreRollout, v1beta1.HookRollout, v1beta1.HookConfirmTrafficIncrease,
		v1beta1.HookConfirmPromotion, v1beta1.HookRollback, v1beta1.HookPostRollout, v1beta1.HookEvent}
	receivers := map[string]*receiver{}
	var hooks []v1beta1.CanaryWebhook
	for _, kind := range kinds {
		receivers[kind] = receive(t)
		if kind == v1beta1.HookRollback { // one that says yes rolls back
			receivers[kind].always = http.StatusForbidden
		}
		hooks = append(hooks, v1beta1.CanaryWebhook{Name: kind, Type: kind, URL: receivers[kind].URL, Metadata: map[string]string{"team": "shop"}})
	}
	w.create(w.deployment("podinfo:6.0.0"), w.service(), w.canary(hooked(hooks...)))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.setImage("podinfo:6.0.1")
	c := w.ends(1)
	phases := map[string]v1beta1.Phase{v1beta1.HookConfirmRollout: v1beta1.PhaseWaiting, v1beta1.HookPostRollout: v1beta1.PhaseSucceeded,
		v1beta1.HookConfirmPromotion: v1beta1.PhaseWaitingPromotion, v1beta1.HookRollback: v1beta1.PhaseWaiting}
	for _, kind := range kinds {
		got := receivers[kind].payloads(t)
		if len(got) == 0 {
			t.Errorf("the hook of type %s was not called", kind)
			continue
		}
		if kind == v1beta1.HookEvent {
			continue
		}
		want := webhook.Payload{Name: "podinfo", Namespace: w.ns, Phase: v1beta1.PhaseProgressing, Checksum: c.Status.LastAppliedSpec,
			Metadata: map[string]string{"team": "shop"}, Rollout: 1, Image: "podinfo:6.0.1", Promoted: "podinfo:6.0.0", CanaryWeight: got[0].CanaryWeight}
		if p, ok := phases[kind]; ok {
			want.Phase = p
		}
		if diff := cmp.Diff(want, got[0]); diff != "" {
			t.Errorf("payload of %s (-want +got):\n%s", kind, diff)
		}
	}
	for _, kind := range []string{v1beta1.HookConfirmRollout, v1beta1.HookPreRollout, v1beta1.HookConfirmPromotion, v1beta1.HookPostRollout} {
		if n := len(receivers[kind].posts()); n != 1 {
			t.Errorf("the hook of type %s was called %d times: %v", kind, n, receivers[kind].keys())
		}
	}
	w.wantEveryEntry(receivers[v1beta1.HookEvent])
	if c.Status.Phase != v1beta1.PhaseSucceeded || w.reasons()["PostRolloutPassed"] != 1 {
		t.Errorf("ended as %s, events %v", c.Status.Phase, w.reasons())
	}
}

// wantEveryEntry holds what an event hook was told against the journal, in order.
func (w *world) wantEveryEntry(r *receiver) {
	w.t.Helper()
	var want, got []string
	for _, e := range w.get().Status.Journal {
		want = append(want, e.Reason)
	}
	for _, p := range r.payloads(w.t) {
		m := p.Metadata
		got = append(got, m["eventReason"])
		if m["team"] != "shop" || len(m["timestamp"]) != 13 || !slices.Contains([]string{"Normal", "Warning"}, m["eventType"]) || m["eventMessage"] == "" {
			w.t.Errorf("metadata %v", m)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("the event hook (-journal +told):\n%s", diff)
	}
}

// TestASlowGatePasses: it is asked once however often the revision is judged before it answers.
func TestASlowGatePasses(t *testing.T) {
	w := newWorld(t)
	gate := receive(t)
	gate.hang = make(chan struct{})
	w.create(w.deployment("podinfo:6.0.0"), w.service(), w.canary(hooked(v1beta1.CanaryWebhook{Name: "gate", Type: v1beta1.HookConfirmPromotion, URL: gate.URL, Timeout: "1m"})))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.setImage("podinfo:6.0.1")
	w.eventually("the gate is asked", func() bool { return len(gate.posts()) > 0 })
	attempt := w.get().Status.Rollout.Attempt
	w.eventually("the revision is judged meanwhile", func() bool { return w.get().Status.Rollout.Attempt > attempt+3 })
	close(gate.hang)
	if c := w.ends(1); c.Status.Phase != v1beta1.PhaseSucceeded || len(gate.posts()) != 1 {
		t.Errorf("ended as %s after %d calls of the gate", c.Status.Phase, len(gate.posts()))
	}
}

// TestAPostRolloutHookDecidesNothing: it is called once after a failure too, and what it answers is
// shown in its own words.
func TestAPostRolloutHookDecidesNothing(t *testing.T) {
	w := newWorld(t)
	r := receive(t)
	r.always = http.StatusInternalServerError
	w.create(w.deployment("podinfo:6.0.0"), w.service(), w.canary(hooked(v1beta1.CanaryWebhook{Name: "clean up", Type: v1beta1.HookPostRollout, URL: r.URL})))
	op := w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.prom.succeed(96.2)
	w.setImage("podinfo:6.0.1")
	c := w.ends(1)
	got := r.payloads(t)
	if c.Status.Phase != v1beta1.PhaseFailed || len(got) != 1 || got[0].Phase != v1beta1.PhaseFailed {
		t.Errorf("ended as %s, told %+v", c.Status.Phase, got)
	}
	for _, e := range w.events() {
		if e.Reason == "PostRolloutFailed" && e.Message != "post-rollout hook clean up: HTTP 500: not today" {
			t.Errorf("the event says %q", e.Message)
		}
	}
	if n := w.reasons()["PostRolloutFailed"]; n != 1 {
		t.Errorf("%d events", n)
	}
	op.stop()
	w.observed(w.operate())
	if n := len(r.posts()); n != 1 {
		t.Errorf("a restart called it again: %d calls", n)
	}
}

// TestAnEventHookThatIsDownGetsEverythingLater, in order, and one that refuses an event gets the next.
func TestAnEventHookThatIsDownGetsEverythingLater(t *testing.T) {
	w := newWorld(t)
	down, refuses := receive(t, 503, 503, 429), receive(t, 400)
	w.create(w.deployment("podinfo:6.0.0"), w.service(), w.canary(hooked(
		v1beta1.CanaryWebhook{Name: "down", Type: v1beta1.HookEvent, URL: down.URL},
		v1beta1.CanaryWebhook{Name: "refuses", Type: v1beta1.HookEvent, URL: refuses.URL})))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.eventually("everything is told", w.toldAll)
	n := len(w.get().Status.Journal)
	if got := len(down.posts()); got != n+3 {
		t.Errorf("%d posts to the one that was down, want 3 and one for each of %d entries", got, n)
	}
	if got := len(refuses.posts()); got != n {
		t.Errorf("%d posts to the one that refused, want %d", got, n)
	}
	keys := map[string]int{}
	for _, p := range down.posts() {
		keys[p.header.Get("Idempotency-Key")]++
	}
	if len(keys) != n {
		t.Errorf("%d keys for %d entries: %v", len(keys), n, keys)
	}
}

// TestAHookWithASecret: its token is sent, its failure is shown in its own words, the token is not.
func TestAHookWithASecret(t *testing.T) {
	w := newWorld(t)
	r := receive(t, http.StatusInternalServerError)
	w.create(w.deployment("podinfo:6.0.0"), w.service(), w.canary(hooked(v1beta1.CanaryWebhook{Name: "accept", Type: v1beta1.HookPreRollout, URL: r.URL,
		Headers: map[string]string{"x-team": "shop"}, SecretRef: &corev1.LocalObjectReference{Name: "gates"}}),
		func(c *v1beta1.Canary) {
			c.Spec.Analysis.Threshold = 5
			c.Spec.Analysis.InconclusiveLimit = new(int32(5))
		}))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.setImage("podinfo:6.0.1")
	w.eventually("the Secret is missed", func() bool {
		return w.saysEvent("Inconclusive", "webhook accept: Secret "+w.ns+"/gates does not exist")
	})
	w.create(&corev1.Secret{ObjectMeta: w.meta("gates"), Data: map[string][]byte{"token": []byte("t0p")}})
	c := w.ends(1)
	if c.Status.Phase != v1beta1.PhaseSucceeded {
		t.Errorf("ended as %s\n%s", c.Status.Phase, w.story())
	}
	if !w.saysEvent("CheckFailed", "accept: HTTP 500: not today") {
		t.Errorf("no event shows the failure's words\n%s", w.story())
	}
	first := r.posts()[0].header
	if first.Get("Authorization") != "Bearer t0p" || first.Get("X-Team") != "shop" || first.Get("Idempotency-Key") == "" {
		t.Errorf("headers %v", first)
	}
	b, err := json.Marshal([]any{w.get(), w.events()})
	must(t, err)
	if strings.Contains(string(b), "t0p") {
		t.Error("status or events tell the token")
	}
}

func (w *world) saysEvent(reason, says string) bool {
	w.t.Helper()
	for _, e := range w.events() {
		if e.Reason == reason && strings.Contains(e.Message, says) {
			return true
		}
	}
	return false
}

// keys are the idempotency keys of the posts, in their order.
func (r *receiver) keys() []string {
	var all []string
	for _, p := range r.posts() {
		all = append(all, p.header.Get("Idempotency-Key"))
	}
	return all
}
