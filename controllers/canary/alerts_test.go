package canary_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/discord"
	alerthook "github.com/serin-dev/serin/notifier/webhook"
	"github.com/serin-dev/serin/pkg/apitest"
)

// alertTypes are those that the operators under test can send to, fewer than the API knows.
func (w *world) alertTypes() *notifier.Registry {
	r := &notifier.Registry{}
	must(w.t, r.Add(alerthook.Type, alerthook.New))
	must(w.t, r.Add(discord.Type, discord.New))
	return r
}

// receiver is a real server that keeps what it was posted.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	got     []post
	answers []int
	// always is the answer after those; 0 is 200.
	always int
	hang   chan struct{}
}

// post is one request as it came.
type post struct {
	header http.Header
	body   []byte
}

// receive starts a receiver; it answers with the given codes first, and with 200 ever after.
func receive(t *testing.T, answers ...int) *receiver {
	t.Helper()
	r := &receiver{answers: answers}
	r.Server = httptest.NewServer(r)
	t.Cleanup(func() { r.CloseClientConnections(); r.Close() })
	return r
}

func (r *receiver) ServeHTTP(out http.ResponseWriter, in *http.Request) {
	body, _ := io.ReadAll(in.Body)
	r.mu.Lock()
	code, hang := http.StatusOK, r.hang
	if r.always != 0 {
		code = r.always
	}
	if len(r.answers) > 0 {
		code, r.answers = r.answers[0], r.answers[1:]
	}
	r.got = append(r.got, post{in.Header.Clone(), body})
	r.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-in.Context().Done():
			return
		}
	}
	out.WriteHeader(code)
	if code >= 300 {
		_, _ = io.WriteString(out, "not\n  today")
	}
}

func (r *receiver) posts() []post {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// event is a CloudEvent as the AlertProvider of type webhook posts it.
type cloudEvent struct {
	ID   string `json:"id"`
	Data struct {
		Kind, Severity, What, Outcome, To, ToImage, Phase string
		Rollout                                           int64
	} `json:"data"`
}

func (r *receiver) events(t *testing.T) []cloudEvent {
	t.Helper()
	var all []cloudEvent
	for _, p := range r.posts() {
		var e cloudEvent
		must(t, json.Unmarshal(p.body, &e))
		all = append(all, e)
	}
	return all
}

// kinds lists the events of a receiver by kind and severity; repetitions are one.
func (r *receiver) kinds(t *testing.T) []string {
	var all []string
	seen := map[string]bool{}
	for _, e := range r.events(t) {
		if !seen[e.ID] {
			all = append(all, e.Data.Kind+" "+e.Data.Severity)
		}
		seen[e.ID] = true
	}
	return all
}

// alertProvider sends CloudEvents to a receiver.
func (w *world) alertProvider(namespace, name string, to *receiver) *v1beta1.AlertProvider {
	p := &v1beta1.AlertProvider{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	p.Spec.Type, p.Spec.Address = alerthook.Type, to.URL
	return p
}

func alertTo(name, severity, namespace string) v1beta1.CanaryAlert {
	return v1beta1.CanaryAlert{Name: name, Severity: severity, ProviderRef: v1beta1.CrossNamespaceNameReference{Name: name, Namespace: namespace}}
}

func alerting(alerts ...v1beta1.CanaryAlert) func(*v1beta1.Canary) {
	return func(c *v1beta1.Canary) { c.Spec.Analysis.Alerts = alerts }
}

// journalOf lists the unmuted entries of at least a severity, as kinds does.
func journalOf(c *v1beta1.Canary, severities ...string) []string {
	var all []string
	for _, e := range c.Status.Journal {
		if !e.Muted && slices.Contains(severities, e.Severity) {
			all = append(all, e.Moment+" "+e.Severity)
		}
	}
	return all
}

// TestSeverities: several providers at once, in this namespace and another, each told what it asked
// for. One without a severity is told everything: Flagger never tells it anything.
func TestSeverities(t *testing.T) {
	w := newWorld(t)
	other := apitest.Namespace(t, w.c)
	w.shared, w.open = other, []string{other}
	all := map[string][]string{
		"default": {"info", "warn", "error"}, "info": {"info", "warn", "error"}, "warn": {"warn", "error"}, "error": {"error"},
	}
	receivers := map[string]*receiver{}
	var alerts []v1beta1.CanaryAlert
	for name := range all {
		severity, namespace := name, ""
		if name == "default" {
			severity = ""
		}
		if name == "warn" {
			namespace = other
		}
		receivers[name] = receive(t)
		alerts = append(alerts, alertTo(name, severity, namespace))
		in := w.ns
		if namespace != "" {
			in = namespace
		}
		w.create(w.alertProvider(in, name, receivers[name]))
	}
	w.create(w.deployment("podinfo:6.0.0"), w.service(), w.canary(alerting(alerts...), func(c *v1beta1.Canary) { c.Spec.Analysis.Threshold = 2 }))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.prom.succeed(96.2)
	w.setImage("podinfo:6.0.1")
	c := w.ends(1)
	for name, severities := range all {
		if diff := cmp.Diff(journalOf(c, severities...), receivers[name].kinds(t)); diff != "" {
			t.Errorf("alert %s (-journal +told):\n%s", name, diff)
		}
	}
	ended := receivers["error"].events(t)
	if e := ended[len(ended)-1].Data; e.Kind != "Ended" || e.Outcome != "Failed" || e.What != "rolled back" || e.ToImage != "podinfo:6.0.1" || e.Phase != "Failed" || e.Rollout != 1 {
		t.Errorf("the end is told as %+v", e)
	}
}

// TestWhatIsNotCommittedIsToldAgainUnderTheSameKey: an operator that dies between a sink's answer and
// its next commit leaves the next one to tell it again.
func TestWhatIsNotCommittedIsToldAgainUnderTheSameKey(t *testing.T) {
	w := newWorld(t)
	r := receive(t)
	w.create(w.alertProvider(w.ns, "team", r), w.deployment("podinfo:6.0.0"), w.service(),
		w.canary(alerting(alertTo("team", "", "")), func(c *v1beta1.Canary) { c.Spec.Analysis.Interval = "30s" }))
	op := w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.setImage("podinfo:6.0.1")
	w.takesWeight(50)
	newest := func() string { e := r.events(t); return e[len(e)-1].ID }
	want := func() string {
		c := w.get()
		e := c.Status.Journal[len(c.Status.Journal)-1]
		return fmt.Sprintf("%s/%d.%d", c.UID, e.Transition, e.Index)
	}
	w.eventually("the shift is told", func() bool { return len(r.posts()) > 0 && newest() == want() })
	if s := w.get().Status; s.Told >= s.Transition {
		t.Fatalf("told %d of %d is committed already", s.Told, s.Transition)
	}
	op.stop()
	before := len(r.posts())
	id := newest()
	w.operate()
	w.eventually("it is told again", func() bool { return len(r.posts()) > before && newest() == id })
}

// TestAHangingSinkDelaysItselfOnly: the rollout, the events and the other alert do not wait for it.
func TestAHangingSinkDelaysItselfOnly(t *testing.T) {
	w := newWorld(t)
	well, ill := receive(t), receive(t)
	ill.hang = make(chan struct{})
	w.create(w.alertProvider(w.ns, "well", well), w.alertProvider(w.ns, "ill", ill), w.deployment("podinfo:6.0.0"), w.service(),
		w.canary(alerting(alertTo("ill", "", ""), alertTo("well", "", ""))))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.setImage("podinfo:6.0.1")
	w.eventually("a rollout has ended", func() bool { return w.get().Status.Phase == v1beta1.PhaseSucceeded })
	w.eventually("everybody else is told", func() bool {
		kinds := well.kinds(t)
		return len(kinds) > 0 && kinds[len(kinds)-1] == "Ended info" && w.isTold("Promoted")
	})
	if got := ill.kinds(t); len(got) > 1 {
		t.Errorf("a sink that has not answered the first message is sent %v", got)
	}
	ill.mu.Lock()
	close(ill.hang)
	ill.hang = nil
	ill.mu.Unlock()
	w.eventually("it gets everything in the end", func() bool { return cmp.Equal(well.kinds(t), ill.kinds(t)) && w.toldAll() })
}

// TestAMissingProviderIsWarnedOfAndToldWhenItComes.
func TestAMissingProviderIsWarnedOfAndToldWhenItComes(t *testing.T) {
	w, _ := adopted(t, alerting(alertTo("team", "", "")))
	w.warns("AlertProviderMissing", "AlertProvider "+w.ns+"/team of alert team does not exist: create it, or correct providerRef")
	r := receive(t)
	p := w.alertProvider(w.ns, "team", r)
	p.Spec.Type = "gchat"
	w.create(p)
	w.warns("AlertTypeUnknown", `type "gchat" is not built into this operator; it has: discord, webhook`)
	alter(w, "team", &v1beta1.AlertProvider{}, func(p *v1beta1.AlertProvider) { p.Spec.Type = alerthook.Type })
	w.eventually("the adoption is told after all", func() bool {
		return cmp.Equal(journalOf(w.get(), "info", "warn", "error"), r.kinds(t)) && w.toldAll()
	})
	w.warnsOfNothing()
}

// TestASecretOfAProvider: it is read when there is something to tell, and waited for.
func TestASecretOfAProvider(t *testing.T) {
	w := newWorld(t)
	r := receive(t)
	p := w.alertProvider(w.ns, "team", r)
	p.Spec.Address, p.Spec.SecretRef = "", &corev1.LocalObjectReference{Name: "team"}
	w.create(p, w.deployment("podinfo:6.0.0"), w.service(), w.canary(alerting(alertTo("team", "", ""))))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.create(&corev1.Secret{ObjectMeta: w.meta("team"), Data: map[string][]byte{"address": []byte(r.URL), "token": []byte("first")}})
	w.eventually("the adoption is told", w.toldAll)
	alter(w, "team", &corev1.Secret{}, func(s *corev1.Secret) { s.Data["token"] = []byte("second") })
	w.setImage("podinfo:6.0.1")
	w.ends(1)
	posts := r.posts()
	if first, last := posts[0].header.Get("Authorization"), posts[len(posts)-1].header.Get("Authorization"); first != "Bearer first" || last != "Bearer second" {
		t.Errorf("sent %q first and %q last", first, last)
	}
}

// TestARefusedMessageIsGivenUp: what comes after it is told, the cursor moves on, and the condition
// says so until the sink takes a message again.
func TestARefusedMessageIsGivenUp(t *testing.T) {
	w := newWorld(t)
	r := receive(t, slices.Repeat([]int{http.StatusNotFound}, 50)...)
	w.create(w.alertProvider(w.ns, "team", r), w.deployment("podinfo:6.0.0"), w.service(), w.canary(alerting(alertTo("team", "", ""))))
	op := w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.eventually("the cursor has moved on", w.toldAll)
	w.warns("NotTold", "alert/0-team has not been told everything: AlertProvider "+w.ns+"/team: ")
	if want, got := len(w.get().Status.Journal), len(r.posts()); got != want {
		t.Errorf("%d posts of %d entries", got, want)
	}
	op.stop()
	again := w.operate()
	w.observed(again)
	if writes := again.requests.writes(); len(writes) > 0 {
		t.Errorf("a restart wrote %v", writes)
	}
	r.mu.Lock()
	r.answers = nil
	r.mu.Unlock()
	w.setImage("podinfo:6.0.1")
	w.ends(1)
	w.warnsOfNothing()
}

// TestAMutedDecisionIsAnEventOnly.
func TestAMutedDecisionIsAnEventOnly(t *testing.T) {
	w := newWorld(t)
	r, gate, log := receive(t), receive(t, http.StatusForbidden), receive(t)
	w.create(w.alertProvider(w.ns, "team", r), w.deployment("podinfo:6.0.0"), w.service(), w.canary(alerting(alertTo("team", "", "")), func(c *v1beta1.Canary) {
		c.Spec.Analysis.Webhooks = []v1beta1.CanaryWebhook{
			{Name: "gate", Type: v1beta1.HookConfirmRollout, URL: gate.URL, MuteAlert: true},
			{Name: "log", Type: v1beta1.HookEvent, URL: log.URL},
		}
	}))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.setImage("podinfo:6.0.1")
	c := w.ends(1)
	if n := w.reasons()["WaitingForApproval"]; n != 1 {
		t.Errorf("%d events say what is waited for", n)
	}
	if diff := cmp.Diff(journalOf(c, "info", "warn", "error"), r.kinds(t)); diff != "" {
		t.Errorf("alerts (-journal +told):\n%s", diff)
	}
	if got, want := len(log.posts()), len(c.Status.Journal); got != want {
		t.Errorf("the event hook was told %d of %d entries", got, want)
	}
	for _, d := range w.sink.Deliveries() {
		if strings.Contains(d.What, "waits for") {
			t.Errorf("the operator's own sink was told: %s", d.What)
		}
	}
}

// warns waits for the Warning condition to say something under a reason.
func (w *world) warns(reason, says string) {
	w.t.Helper()
	w.eventually("the condition Warning is "+reason, func() bool {
		c := meta.FindStatusCondition(w.get().Status.Conditions, v1beta1.ConditionWarning)
		return c != nil && c.Reason == reason && strings.Contains(c.Message, says)
	})
}

func (w *world) warnsOfNothing() {
	w.t.Helper()
	w.eventually("the condition Warning is gone", func() bool {
		return meta.FindStatusCondition(w.get().Status.Conditions, v1beta1.ConditionWarning) == nil
	})
}

// TestAProviderOutOfReach: an operator that watches one namespace says so.
func TestAProviderOutOfReach(t *testing.T) {
	w := newWorld(t)
	w.confined = true
	w.create(w.deployment("podinfo:6.0.0"), w.service(), w.canary(alerting(alertTo("team", "", "ops"))))
	w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	w.warns("ReferenceRefused", "AlertProvider ops/team of alert team: the operator watches namespace "+w.ns+" alone: name one there")
}
