package canary

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/cmd/serin/implementations"
	"github.com/serin-dev/serin/metrics"
	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/notifier/notifiertest"
	"github.com/serin-dev/serin/pkg/rollout"
)

// hungUp is a call's context that has ended: a message is drawn and a question put, but none leaves.
func hungUp(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// holding is an API server with an object and the Secret that it may name.
func holding(t *testing.T, o client.Object, data []byte) client.Client {
	t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: "secret"}}
	if json.Unmarshal(data, &secret.Data) != nil {
		t.Skip("no Secret holds it")
	}
	o.SetNamespace("apps")
	o.SetName("fuzzed")
	return inMemory(t, o, secret)
}

// FuzzMetricTemplate builds the provider of a MetricTemplate that nobody has validated, and renders its query.
func FuzzMetricTemplate(f *testing.F) {
	for _, seed := range [][2]string{
		{`{}`, `{}`}, {`{"provider":{"type":"graphite"}}`, `{}`}, {`{"provider":{"type":"prometheus"},"query":"up"}`, `null`},
		{`{"provider":{"type":"prometheus","address":"http://a:b@c/?d#e"},"query":"{{ target }}"}`, `{}`},
		{`{"provider":{"type":"prometheus","address":"http://[::1"},"query":"{{"}`, `{}`},
		{`{"provider":{"type":"prometheus","address":"http://a","headers":{"a b":["\n"],"Host":[],"":null}}}`, `{}`},
		{`{"provider":{"type":"prometheus","address":"http://a","secretRef":{"name":"gone"}}}`, `{}`},
		{`{"provider":{"type":"prometheus","address":"http://a","secretRef":{}}}`, `{}`},
		{`{"provider":{"type":"prometheus","address":"http://a","secretRef":{"name":"secret"}}}`, `{"token":"AA=="}`},
		{`{"provider":{"type":"prometheus","address":"http://a","secretRef":{"name":"secret"}}}`, `{"username":"eA=="}`},
		{`{"provider":{"type":"prometheus","address":"https://a","insecureSkipVerify":true,"secretRef":{"name":"secret"}}}`, `{"ca.crt":"eA=="}`},
		{`{"provider":{"type":"prometheus","address":"https://a","secretRef":{"name":"secret"}}}`, `{"tls.crt":"eA==","tls.key":""}`},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, spec, secret []byte) {
		var m v1beta1.MetricTemplate
		if json.Unmarshal(spec, &m.Spec) != nil {
			return
		}
		c := holding(t, &m, secret)
		p := &providers{registry: implementations.Metrics(), secrets: c, kept: &kept[metrics.Provider]{}}
		metric := &v1beta1.CanaryMetric{Name: "fuzzed", TemplateRef: &v1beta1.CrossNamespaceNameReference{Name: "fuzzed"}}
		in := inquiry{canary: inRun("podinfo"), Question: rollout.Question{Metric: metric}}
		provider, query, err := p.of(t.Context(), &Reconciler{client: newFreshClient(c, time.Now)}, in)
		switch {
		case err == nil && provider == nil:
			t.Error("neither a provider nor an error")
		case err != nil && !errors.Is(err, metrics.ErrBadQuery) && !errors.Is(err, metrics.ErrUnavailable):
			t.Errorf("an error without a kind: %v", err)
		case err != nil:
			says(t, err, "MetricTemplate apps/fuzzed")
		default:
			if _, err := provider.Query(hungUp(t), query); err == nil {
				t.Error("somebody answered")
			}
		}
	})
}

// FuzzAlertProvider builds the notifier of an AlertProvider that nobody has validated, and draws a rollout
// for it, whose messages reach nobody.
func FuzzAlertProvider(f *testing.F) {
	for _, kind := range implementations.Alerts().Names() {
		f.Add([]byte(`{"type":"`+kind+`","address":"http://a/b?c","channel":"d","template":"{{.Canary}} {{.What}}"}`), []byte(`{}`))
		f.Add([]byte(`{"type":"`+kind+`","secretRef":{"name":"secret"}}`), []byte(`{"token":"eA==","address":"aHR0cDovL2E=","signingKey":""}`))
	}
	for _, seed := range [][2]string{
		{`{}`, `{}`}, {`{"type":"pager"}`, `null`}, {`{"type":"slack"}`, `{}`}, {`{"type":"slack","secretRef":{}}`, `{}`},
		{`{"type":"slack","secretRef":{"name":"secret"},"username":"\u0000"}`, `{"token":"AAo="}`},
		{`{"type":"webhook","address":"http://a","proxy":"://"}`, `{}`}, {`{"type":"webhook","address":"http://[::1"}`, `{}`},
		{`{"type":"discord","address":"http://a","template":"{{if gt .Weight 1}}{{end}}{{range .}}"}`, `{}`},
		{`{"type":"gchat","address":"http://a","template":"{{with .To}}{{.}}{{end}}{{lt .Weight \"x\"}}"}`, `{}`},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, spec, secret []byte) {
		var p v1beta1.AlertProvider
		if json.Unmarshal(spec, &p.Spec) != nil {
			return
		}
		c := holding(t, &p, secret)
		a := alerts{registry: implementations.Alerts(), client: c, secrets: c, kept: &kept[notifier.Notifier]{},
			outOfReach: func(string, client.ObjectKey) error { return nil }}
		n, err := a.get(t.Context(), "apps", client.ObjectKeyFromObject(&p))
		if err != nil {
			says(t, err, "type", "address", "proxy", "token", "Secret", "template", "channel") // the sink is named by who tells
			return
		}
		for _, m := range notifiertest.Rollback() {
			if _, err := n.Notify(hungUp(t), m, ""); err == nil && p.Spec.Type != "cdevents" && m.Kind != notifier.Moved {
				t.Errorf("somebody heard of %q", m.What)
			}
		}
	})
}

// says demands that an error names one of these.
func says(t *testing.T, err error, names ...string) {
	t.Helper()
	if !slices.ContainsFunc(names, func(n string) bool { return strings.Contains(err.Error(), n) }) {
		t.Errorf("%v are not named: %v", names, err)
	}
}
