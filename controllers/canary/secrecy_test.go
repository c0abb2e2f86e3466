package canary_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/discord"
	"github.com/serin-dev/serin/notifier/slack"
	alerthook "github.com/serin-dev/serin/notifier/webhook"
)

// logged is all that the operators of this package's tests log, at the level of --log-level=debug.
var logged lines

type lines struct {
	mu  sync.Mutex
	all strings.Builder
}

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(line)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// parrot is the worst of servers: it refuses everything and repeats all that it was sent. The codes of
// its answers stand in the path: /403,200/hook is refused once.
type parrot struct {
	*httptest.Server
	mu     sync.Mutex
	times  map[string]int
	heads  strings.Builder
	bodies strings.Builder
}

func newParrot(t *testing.T) *parrot {
	t.Helper()
	p := &parrot{times: map[string]int{}}
	p.Server = httptest.NewServer(p)
	t.Cleanup(func() { p.CloseClientConnections(); p.Close() })
	return p
}

func (p *parrot) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	head, _ := httputil.DumpRequest(r, false)
	whole, _ := httputil.DumpRequest(r, true)
	p.mu.Lock()
	defer p.mu.Unlock()
	body := string(whole[len(head):])
	if form, err := url.ParseQuery(body); err == nil && strings.Contains(r.URL.Path, "/chat.") { // where Slack has the token
		_, _ = p.heads.WriteString(form.Get("token"))
		form.Del("token")
		body = fmt.Sprint(form)
	}
	p.heads.Write(head)
	p.bodies.WriteString(body)
	codes := strings.Split(strings.Split(r.URL.Path, "/")[1], ",")
	code, err := strconv.Atoi(codes[min(p.times[r.URL.Path], len(codes)-1)])
	if err != nil {
		code = http.StatusTeapot
	}
	p.times[r.URL.Path]++
	if !strings.Contains(r.URL.Path, "/api/v1/") {
		rw.WriteHeader(code)
		_, _ = rw.Write(whole)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(code)
	_ = json.NewEncoder(rw).Encode(map[string]string{"status": "error", "errorType": "bad_data", "error": string(whole)})
}

// heard is where credentials belong in requests (first lines, headers, Slack's token), and apart from that
// the bodies.
func (p *parrot) heard() (heads, bodies string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.heads.String(), p.bodies.String()
}

// The secrets of TestNoSecretIsTold. Those of sent go out in requests; the others leave the operator in
// no way.
var (
	sent = map[string]string{
		"the token of the operator's Slack":     "hush-xoxb-0001",
		"the URL of the operator's Slack":       "hush-T0002-B0002",
		"the operator's token for load testers": "hush-audience-0003",
		"the URL of an AlertProvider":           "hush-hook-0004",
		"the token of an AlertProvider":         "hush-alert-0005",
		"the token of a hook":                   "hush-gate-0006",
		"the token of a MetricTemplate":         "hush-metric-0007",
		"user and password of a MetricTemplate": base64.StdEncoding.EncodeToString([]byte("prober:hush-password-0008")),
	}
	kept = map[string]string{
		"a password that is sent encoded": "hush-password-0008",
		"the key that signs alerts":       "hush-signing-0009",
		"a Secret that pods use":          "hush-pods-0010",
		"its next contents":               "hush-pods-0011",
		"the key of a certificate":        "hush-pem-0012",
		"an address that is none":         "hush-no-url-0013",
	}
)

// leaks are the secrets that a text tells, plain or in base64.
func leaks(text string) []string {
	var found []string
	all := maps.Clone(kept)
	maps.Copy(all, sent)
	for _, what := range slices.Sorted(maps.Keys(all)) {
		secret := all[what]
		if strings.Contains(text, secret) || strings.Contains(text, base64.RawStdEncoding.EncodeToString([]byte(secret))) {
			found = append(found, what)
		}
	}
	return found
}

// TestNoSecretIsTold plays a rollout in which every sink, hook and provider fails and repeats what it was
// sent, and then reads everything that the operator has written and said.
func TestNoSecretIsTold(t *testing.T) {
	w, p := newWorld(t), newParrot(t)
	w.secrets, w.trusted, w.tokenFile = true, []string{p.URL + "/403,200/loadtester"}, filepath.Join(t.TempDir(), "token")
	must(t, os.WriteFile(w.tokenFile, []byte(sent["the operator's token for load testers"]), 0o600))
	w.own = map[string]notifier.Notifier{
		"bot":  ownSlack(t, notifier.Config{Address: p.URL + "/500/", Token: sent["the token of the operator's Slack"], Channel: "rollouts"}),
		"hook": ownSlack(t, notifier.Config{Address: p.URL + "/500/services/" + sent["the URL of the operator's Slack"]}),
	}
	w.create(w.callers(p)...)
	w.create(w.configMap("podinfo-config", "color: blue"), w.secret("podinfo-token", kept["a Secret that pods use"]), w.configured(), w.service(), w.canary(callsAll(p)))
	op := w.operate()
	w.reaches(v1beta1.PhaseInitialized)
	alter(w, "podinfo-token", &corev1.Secret{}, func(s *corev1.Secret) { s.Data["token"] = []byte(kept["its next contents"]) })
	w.eventually("the rollout has ended", func() bool { return len(w.get().Status.History) > 0 })
	w.failuresAreShown()
	op.stop()
	heads, _ := p.heard()
	if diff := cmp.Diff(slices.Sorted(maps.Keys(sent)), leaks(heads)); diff != "" {
		t.Errorf("credentials that were sent (-want +got):\n%s", diff)
	}
	for where, text := range w.emitted(op, p) {
		for _, what := range leaks(text) {
			t.Errorf("%s tells %s", where, what)
		}
	}
}

func ownSlack(t *testing.T, c notifier.Config) notifier.Notifier {
	t.Helper()
	n, err := slack.New(c)
	must(t, err)
	return n
}

// callers are the objects by which users have the operator call somebody, and their Secrets.
func (w *world) callers(p *parrot) []client.Object {
	alert := func(name, kind string, secret map[string]string) []client.Object {
		a := &v1beta1.AlertProvider{ObjectMeta: w.meta(name)}
		a.Spec.Type, a.Spec.SecretRef = kind, &corev1.LocalObjectReference{Name: name}
		return []client.Object{a, &corev1.Secret{ObjectMeta: w.meta(name), StringData: secret}}
	}
	template := func(name string, secret map[string]string) []client.Object {
		m := &v1beta1.MetricTemplate{ObjectMeta: w.meta(name)}
		m.Spec.Provider.Type, m.Spec.Provider.Address, m.Spec.Query = "prometheus", p.URL+"/400/"+name, "up"
		m.Spec.Provider.SecretRef = &corev1.LocalObjectReference{Name: name}
		return []client.Object{m, &corev1.Secret{ObjectMeta: w.meta(name), StringData: secret}}
	}
	return slices.Concat(
		alert("team", alerthook.Type, map[string]string{"address": p.URL + "/404/" + sent["the URL of an AlertProvider"],
			"token": sent["the token of an AlertProvider"], "signingKey": kept["the key that signs alerts"]}),
		alert("chat", discord.Type, map[string]string{"address": "ftp://" + kept["an address that is none"]}),
		template("errors", map[string]string{"token": sent["the token of a MetricTemplate"]}),
		template("latency", map[string]string{"username": "prober", "password": kept["a password that is sent encoded"]}),
		[]client.Object{
			&corev1.Secret{ObjectMeta: w.meta("gates"), StringData: map[string]string{"token": sent["the token of a hook"]}},
			&corev1.Secret{ObjectMeta: w.meta("pair"), StringData: map[string]string{"tls.crt": kept["the key of a certificate"], "tls.key": kept["the key of a certificate"]}},
		})
}

// callsAll has a canary use all of them.
func callsAll(p *parrot) func(*v1beta1.Canary) {
	return func(c *v1beta1.Canary) {
		limit := 100.0
		a := c.Spec.Analysis
		a.Threshold, a.InconclusiveLimit = 5, new(int32(5))
		for _, name := range []string{"errors", "latency"} {
			a.Metrics = append(a.Metrics, v1beta1.CanaryMetric{Name: name, Interval: "30s", Threshold: &limit,
				TemplateRef: &v1beta1.CrossNamespaceNameReference{Name: name}})
		}
		a.Alerts = []v1beta1.CanaryAlert{alertTo("team", "", ""), alertTo("chat", "", "")}
		a.Webhooks = []v1beta1.CanaryWebhook{
			{Name: "accept", Type: v1beta1.HookPreRollout, URL: p.URL + "/403,200/accept", SecretRef: &corev1.LocalObjectReference{Name: "gates"}},
			{Name: "load", Type: v1beta1.HookPreRollout, URL: p.URL + "/403,200/loadtester/run"},
			{Name: "tidy", Type: v1beta1.HookPostRollout, URL: p.URL + "/200/tidy", SecretRef: &corev1.LocalObjectReference{Name: "pair"}},
		}
	}
}

// failuresAreShown waits for them: what tells no secret because it says nothing would prove nothing.
func (w *world) failuresAreShown() {
	w.t.Helper()
	for _, sink := range []string{"bot", "hook", "alert/0-team", "alert/1-chat"} {
		w.eventually("the log says that "+sink+" was not told", func() bool {
			return strings.Contains(logged.String(), fmt.Sprintf(`"msg":"could not tell","logger":"tell","canary":{"Namespace":%q,"Name":"podinfo"},"sink":%q`, w.ns, sink))
		})
	}
	for says, reason := range map[string]string{"accept: HTTP 403: ": "CheckFailed", "load: HTTP 403: ": "CheckFailed",
		"errors: bad query: ": "Inconclusive", "latency: bad query: ": "Inconclusive", "are no PEM certificate": "PostRolloutFailed"} {
		w.eventually("an event says "+says, func() bool { return w.saysEvent(reason, says) })
	}
}

// emitted is everything that the operator wrote and said, by where.
func (w *world) emitted(op *operator, p *parrot) map[string]string {
	w.t.Helper()
	all := map[string]string{"the log": logged.String()}
	_, all["a message"] = p.heard()
	families, err := op.registry.Gather()
	must(w.t, err)
	all["a metric"] = fmt.Sprint(families)
	all["a message to the fake sink"] = fmt.Sprintf("%+v", w.sink.Deliveries())
	maps.Copy(all, w.objects())
	return all
}

// objects are all of the namespace but Secrets, as YAML, by their kinds.
func (w *world) objects() map[string]string {
	w.t.Helper()
	d, err := discovery.NewDiscoveryClientForConfig(w.cfg)
	must(w.t, err)
	groups, err := d.ServerPreferredNamespacedResources()
	must(w.t, err)
	all := map[string]string{}
	for _, group := range discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"list"}}, groups) {
		for _, resource := range group.APIResources {
			if resource.Kind == "Secret" {
				continue
			}
			l := &unstructured.UnstructuredList{}
			l.SetGroupVersionKind(schema.FromAPIVersionAndKind(group.GroupVersion, resource.Kind+"List"))
			must(w.t, w.c.List(w.ctx, l, client.InNamespace(w.ns)))
			text, err := yaml.Marshal(l.Items)
			must(w.t, err)
			all[resource.Name] += string(text)
		}
	}
	return all
}
