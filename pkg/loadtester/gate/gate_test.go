package gate_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/pkg/apitest"
	"github.com/serin-dev/serin/pkg/loadtester"
	"github.com/serin-dev/serin/pkg/loadtester/gate"
)

func TestMain(m *testing.M) { apitest.Main(m) }

var (
	podinfo  = gate.Key{Kind: gate.Confirm, Name: "podinfo", Namespace: "test"}
	rollback = gate.Key{Kind: gate.Rollback, Name: "podinfo", Namespace: "test"}
	// Its gate must not be taken for podinfo's rollback.
	dotted = gate.Key{Kind: gate.Confirm, Name: "rollback.podinfo", Namespace: "test"}
)

// replica is a load tester that has just started: with each call another one.
type replica func(t *testing.T) gate.Store

func stores() map[string]func(t *testing.T) replica {
	return map[string]func(t *testing.T) replica{
		"file": func(t *testing.T) replica {
			path := filepath.Join(t.TempDir(), "gates.json")
			return func(t *testing.T) gate.Store { return must(gate.NewFile(path))(t) }
		},
		"ConfigMap": func(t *testing.T) replica {
			cfg, ns := install(t)
			return func(t *testing.T) gate.Store { return must(gate.NewConfigMap(cfg, ns, "loadtester-gates"))(t) }
		},
	}
}

func must[S gate.Store](s S, err error) func(t *testing.T) S {
	return func(t *testing.T) S {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

// install brings the ConfigMap and the rights of deploy/loadtester to a namespace of its own, and
// returns the load tester's credentials.
func install(t *testing.T) (*rest.Config, string) {
	t.Helper()
	cfg := apitest.Start(t)
	c, err := client.New(cfg, client.Options{Scheme: scheme.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	ns := apitest.Namespace(t, c)
	for _, object := range []client.Object{&corev1.ConfigMap{}, &rbacv1.Role{}, &rbacv1.RoleBinding{}} {
		read(t, object)
		object.SetNamespace(ns)
		if err := c.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	cfg.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + ns + ":loadtester",
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + ns, "system:authenticated"},
	}
	// The server's authorizer learns of a Role a moment after it was made.
	store := must(gate.NewConfigMap(cfg, ns, "loadtester-gates"))(t)
	err = wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		_, err := store.Read(ctx)
		return !apierrors.IsForbidden(err), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return cfg, ns
}

// read fills the object from the one of its kind in deploy/loadtester.
func read(t *testing.T, into client.Object) {
	t.Helper()
	kind := strings.TrimPrefix(fmt.Sprintf("%T", into), "*v1.")
	data, err := os.ReadFile("../../../deploy/loadtester/gates.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for doc := range strings.SplitSeq(string(data), "\n---\n") {
		if strings.Contains(doc, "\nkind: "+kind+"\n") {
			if err := yaml.UnmarshalStrict([]byte(doc), into); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no %s in deploy/loadtester/gates.yaml", kind)
}

func open(t *testing.T, s gate.Store) []string {
	t.Helper()
	set, err := s.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for key, since := range set {
		if time.Since(since) > time.Hour {
			t.Errorf("%s is open since %s", key, since)
		}
		got = append(got, key.String())
	}
	slices.Sort(got)
	return got
}

func TestGatesAreKept(t *testing.T) {
	for name, prepare := range stores() {
		t.Run(name, func(t *testing.T) {
			start := prepare(t)
			first, other := start(t), start(t)
			if got := open(t, first); len(got) > 0 {
				t.Errorf("open at first: %q", got)
			}
			for _, key := range []gate.Key{podinfo, podinfo, rollback, dotted} {
				if err := first.Write(t.Context(), key, true); err != nil {
					t.Fatal(err)
				}
			}
			want := []string{"gate.podinfo.test", "gate.rollback.podinfo.test", "rollback.podinfo.test"}
			if diff := cmp.Diff(want, open(t, other)); diff != "" {
				t.Errorf("open in the other replica (-want +got):\n%s", diff)
			}
			// Closed twice: what is closed stays so.
			for range 2 {
				if err := other.Write(t.Context(), rollback, false); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(want[:2], open(t, first)); diff != "" {
				t.Errorf("open where it was not closed (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want[:2], open(t, start(t))); diff != "" {
				t.Errorf("open after a restart (-want +got):\n%s", diff)
			}
		})
	}
}

// Two load testers on one API server, and a third that starts when they are gone.
func TestServersShareGates(t *testing.T) {
	cfg, ns := install(t)
	serve := func() (func(path string) int, func()) {
		tester := loadtester.New(loadtester.Config{
			Timeout: time.Minute, Log: slog.New(slog.DiscardHandler), Gates: must(gate.NewConfigMap(cfg, ns, "loadtester-gates"))(t),
		})
		server := httptest.NewServer(tester.Handler())
		return func(path string) int { return post(t, server.URL+path) }, func() { server.Close(); tester.Close() }
	}
	first, stopFirst := serve()
	second, stopSecond := serve()
	got := []int{second("/gate/check"), first("/gate/open"), second("/gate/check"), second("/rollback/check"), second("/rollback/open")}
	stopFirst()
	stopSecond()
	third, stop := serve()
	defer stop()
	got = append(got, third("/gate/check"), third("/rollback/check"), third("/rollback/close"), third("/rollback/check"))
	if diff := cmp.Diff([]int{403, 202, 200, 403, 202, 200, 200, 202, 403}, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

func post(t *testing.T, url string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(`{"name": "podinfo", "namespace": "test"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

func TestMemoryForgets(t *testing.T) {
	m := gate.NewMemory()
	if err := m.Write(t.Context(), podinfo, true); err != nil {
		t.Fatal(err)
	}
	if got := open(t, m); len(got) != 1 {
		t.Errorf("open = %q", got)
	}
	if got := open(t, gate.NewMemory()); len(got) != 0 {
		t.Errorf("open in another = %q", got)
	}
}

// Both replicas open gates at the same time: neither write is lost.
func TestReplicasDoNotOverwriteEachOther(t *testing.T) {
	cfg, ns := install(t)
	var writers sync.WaitGroup
	for i := range 2 {
		store := must(gate.NewConfigMap(cfg, ns, "loadtester-gates"))(t)
		writers.Go(func() {
			for j := range 8 {
				key := gate.Key{Kind: gate.Confirm, Name: fmt.Sprintf("canary-%d-%d", i, j), Namespace: "test"}
				if err := store.Write(context.Background(), key, true); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	if got := open(t, must(gate.NewConfigMap(cfg, ns, "loadtester-gates"))(t)); len(got) != 16 {
		t.Errorf("%d gates are open, want all 16: %q", len(got), got)
	}
}

// A task can use the pod's token: it reaches this ConfigMap and no other.
func TestRightsEndAtTheConfigMap(t *testing.T) {
	cfg, ns := install(t)
	other := must(gate.NewConfigMap(cfg, ns, "others"))(t)
	if _, err := other.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "forbidden") {
		t.Errorf("error = %v, want it forbidden", err)
	}
	err := other.Write(t.Context(), podinfo, true)
	if want := "write gates to ConfigMap " + ns + "/others"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error = %v, want %q", err, want)
	}
}

func TestApplyingTheManifestsAgainClosesNothing(t *testing.T) {
	cfg := apitest.Start(t)
	c, err := client.New(cfg, client.Options{Scheme: scheme.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	ns := apitest.Namespace(t, c)
	apply(t, cfg, ns)
	store := must(gate.NewConfigMap(cfg, ns, "loadtester-gates"))(t)
	if err := store.Write(t.Context(), podinfo, true); err != nil {
		t.Fatal(err)
	}
	apply(t, cfg, ns)
	apply(t, cfg, ns, "--server-side", "--force-conflicts")
	if got := open(t, store); len(got) != 1 {
		t.Errorf("open = %q, want podinfo's", got)
	}
}

func apply(t *testing.T, cfg *rest.Config, ns string, how ...string) {
	t.Helper()
	dir := t.TempDir()
	args := append([]string{"apply", "-n", ns, "-k", "../../../deploy/loadtester", "--validate=strict", "--server", cfg.Host}, how...)
	for flag, pem := range map[string][]byte{
		"--certificate-authority": cfg.CAData, "--client-certificate": cfg.CertData, "--client-key": cfg.KeyData,
	} {
		file := filepath.Join(dir, flag)
		if err := os.WriteFile(file, pem, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, flag, file)
	}
	kubectl := filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kubectl")
	if out, err := exec.CommandContext(t.Context(), kubectl, args...).CombinedOutput(); err != nil {
		t.Fatalf("kubectl apply: %v\n%s", err, out)
	}
}

func TestForeignKeysAreLeftAlone(t *testing.T) {
	cfg, ns := install(t)
	cfg.Impersonate = rest.ImpersonationConfig{}
	c, err := client.New(cfg, client.Options{Scheme: scheme.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "mixed"}, Data: map[string]string{
		"note": "ours", "gate.nodot": "", "gate.UPPER.test": "", "door.podinfo.test": "", "gate.by-hand.test": "yes",
	}}
	if err := c.Create(t.Context(), cm); err != nil {
		t.Fatal(err)
	}
	store := must(gate.NewConfigMap(cfg, ns, "mixed"))(t)
	if err := store.Write(t.Context(), podinfo, true); err != nil {
		t.Fatal(err)
	}
	set, err := store.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byHand := gate.Key{Kind: gate.Confirm, Name: "by-hand", Namespace: "test"}
	if diff := cmp.Diff([]gate.Key{byHand, podinfo}, set.Keys(gate.Confirm)); diff != "" {
		t.Errorf("open (-want +got):\n%s", diff)
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(cm), cm); err != nil {
		t.Fatal(err)
	}
	if cm.Data["note"] != "ours" || len(cm.Data) != 6 {
		t.Errorf("data = %v", cm.Data)
	}
}

func TestFileRefuses(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.json")
	if err := os.WriteFile(bad, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		bad:                              "read gates from " + bad,
		dir:                              "read gates: read " + dir,
		filepath.Join(dir, "no", "file"): "write gates: open " + filepath.Join(dir, "no"),
	} {
		if _, err := gate.NewFile(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want %q", err, want)
		}
	}
}

func TestFileThatSaysNullIsEmpty(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gates.json")
	if err := os.WriteFile(path, []byte("null"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := must(gate.NewFile(path))(t)
	if err := f.Write(t.Context(), podinfo, true); err != nil {
		t.Fatal(err)
	}
	if got := open(t, f); len(got) != 1 {
		t.Errorf("open = %q", got)
	}
}

func TestKeyCheck(t *testing.T) {
	for name, tc := range map[string]struct {
		key  gate.Key
		want string
	}{
		"a canary":         {podinfo, ""},
		"a name with dots": {dotted, ""},
		"no name":          {gate.Key{Kind: gate.Confirm, Namespace: "test"}, `name "" is not a canary's`},
		"no namespace":     {gate.Key{Kind: gate.Confirm, Name: "podinfo"}, `namespace "" is none`},
		"not a name":       {gate.Key{Kind: gate.Confirm, Name: "a/b", Namespace: "test"}, `name "a/b"`},
	} {
		t.Run(name, func(t *testing.T) {
			err := tc.key.Check()
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("error = %v, want %q", err, tc.want)
			}
		})
	}
}
