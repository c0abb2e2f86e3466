package loadtester

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/loadtester/gate"
)

// ask posts a canary to a path, as a webhook and a person with curl do.
func ask(t *testing.T, s *Server, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body)))
	return w
}

const canary = `{"name": "podinfo", "namespace": "test"}`

func TestGatesOpenAndClose(t *testing.T) {
	s := newServer(t, Config{})
	for _, step := range []struct {
		path     string
		want     int
		wantBody string
	}{
		{"/gate/approve", 200, "approved"},
		{"/gate/halt", 403, "halted"},
		{"/gate/check", 403, "gate of podinfo.test is closed: loadtester gate open podinfo.test"},
		{"/gate/open", 202, "gate of podinfo.test is open"},
		{"/gate/check", 200, "gate of podinfo.test is open since 20"},
		{"/rollback/check", 403, "rollback of podinfo.test is closed: loadtester rollback open podinfo.test"},
		{"/rollback/open", 202, "rollback of podinfo.test is open"},
		{"/gate/close", 202, "gate of podinfo.test is closed"},
		{"/gate/check", 403, "closed"},
		{"/rollback/check", 200, "open since"},
		{"/rollback/close", 202, "closed"},
		{"/rollback/check", 403, "closed"},
	} {
		w := ask(t, s, step.path, canary)
		if w.Code != step.want || !strings.Contains(w.Body.String(), step.wantBody) {
			t.Errorf("%s = %d %q, want %d %q", step.path, w.Code, w.Body, step.want, step.wantBody)
		}
	}
	if got := testutil.ToFloat64(s.metrics.checks.WithLabelValues("gate", "closed")); got != 2 {
		t.Errorf("closed gates met = %v, want 2", got)
	}
	if got := testutil.ToFloat64(s.metrics.changes.WithLabelValues("rollback", "open")); got != 1 {
		t.Errorf("rollbacks asked for = %v, want 1", got)
	}
}

func TestGatesAreOfOneCanary(t *testing.T) {
	s := newServer(t, Config{})
	ask(t, s, "/gate/open", canary)
	for _, other := range []string{`{"name": "podinfo", "namespace": "prod"}`, `{"name": "backend", "namespace": "test"}`} {
		if w := ask(t, s, "/gate/check", other); w.Code != 403 {
			t.Errorf("%s = %d, want it closed", other, w.Code)
		}
	}
}

func TestOpenGatesAreListed(t *testing.T) {
	s := newServer(t, Config{})
	for _, body := range []string{canary, `{"name": "backend", "namespace": "test"}`, `{"name": "z", "namespace": "a"}`} {
		ask(t, s, "/gate/open", body)
	}
	for path, want := range map[string][]string{"/gate": {"z.a", "backend.test", "podinfo.test"}, "/rollback": {}} {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
		var got struct{ Open []openGate }
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		names := []string{}
		for _, g := range got.Open {
			names = append(names, g.Name+"."+g.Namespace)
			if time.Since(g.OpenSince) > time.Hour {
				t.Errorf("open since %s", g.OpenSince)
			}
		}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

// lost is a store whose API server is away.
type lost struct{}

func (lost) Read(context.Context) (gate.Set, error)      { return nil, errors.New("no server") }
func (lost) Write(context.Context, gate.Key, bool) error { return errors.New("no server") }

func TestGatesRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		config   Config
		path     string
		body     string
		want     int
		wantBody string
	}{
		"no canary":              {Config{}, "/gate/open", `{}`, 400, `post {"name": "podinfo", "namespace": "test"}`},
		"not JSON":               {Config{}, "/gate/check", `podinfo`, 400, "not the JSON"},
		"another namespace":      {Config{Namespaces: regexp.MustCompile("^prod$")}, "/gate/open", canary, 403, "not served here"},
		"a stranger opens":       {Config{Verifier: &Verifier{}}, "/gate/open", canary, 401, "bearer token"},
		"a stranger asks":        {Config{Verifier: &Verifier{}}, "/gate/check", canary, 401, "bearer token"},
		"a stranger's rollback":  {Config{Verifier: &Verifier{}}, "/rollback/open", canary, 401, "bearer token"},
		"a stranger at approve":  {Config{Verifier: &Verifier{}}, "/gate/approve", canary, 401, "bearer token"},
		"unknown, so not open":   {Config{Gates: lost{}}, "/gate/check", canary, 503, "no server"},
		"unknown, so not back":   {Config{Gates: lost{}}, "/rollback/check", canary, 503, "no server"},
		"cannot be kept, so not": {Config{Gates: lost{}}, "/gate/open", canary, 503, "no server"},
	} {
		t.Run(name, func(t *testing.T) {
			w := ask(t, newServer(t, tc.config), tc.path, tc.body)
			if w.Code != tc.want || !strings.Contains(w.Body.String(), tc.wantBody) {
				t.Errorf("answer = %d %q, want %d %q", w.Code, w.Body, tc.want, tc.wantBody)
			}
		})
	}
}

func TestStrangersCannotListGates(t *testing.T) {
	w := httptest.NewRecorder()
	s := newServer(t, Config{Verifier: &Verifier{}})
	s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/gate", http.NoBody))
	if w.Code != 401 {
		t.Errorf("answer = %d %q, want 401", w.Code, w.Body)
	}
}

func TestSampleGatesAreServed(t *testing.T) {
	data, err := os.ReadFile("../../deploy/samples/canary-gates.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var sample v1beta1.Canary
	if err := yaml.UnmarshalStrict(data, &sample); err != nil {
		t.Fatal(err)
	}
	s, asked := newServer(t, Config{}), 0
	for _, hook := range sample.Spec.Analysis.Webhooks {
		u, err := url.Parse(hook.URL)
		if err != nil {
			t.Fatal(err)
		}
		if u.Path == "/" {
			continue
		}
		asked++
		if w := ask(t, s, u.Path, canary); w.Code != 403 || !strings.Contains(w.Body.String(), "of podinfo.test is closed") {
			t.Errorf("%s = %d %q, want it closed", u.Path, w.Code, w.Body)
		}
	}
	if asked != 2 {
		t.Errorf("%d gates in the sample, want 2", asked)
	}
}
