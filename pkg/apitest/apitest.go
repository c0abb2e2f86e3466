// Package apitest gives tests a real API server and etcd, with the CRDs of deploy/crds installed.
// There are no controllers behind it: nothing schedules, collects garbage or empties a namespace.
// One server is shared by all tests of a package and each takes a namespace of its own.
//
//	func TestMain(m *testing.M) { apitest.Main(m) }
//
//	func TestX(t *testing.T) {
//		cfg := apitest.Start(t)
//		c, err := client.New(cfg, client.Options{Scheme: scheme})
//		...
//		ns := apitest.Namespace(t, c)
//	}
package apitest

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// assets is the directory with the binaries etcd, kube-apiserver and kubectl, under envtest's name.
const assets = "KUBEBUILDER_ASSETS"

// startTimeout is generous: a machine that also compiles starts the server many times slower.
const startTimeout = 2 * time.Minute

var server struct {
	sync.Mutex
	owned bool // Main runs and will stop the server
	env   *envtest.Environment
	cfg   *rest.Config
}

// Main runs the tests of a package and stops the server that they used. Call it from TestMain; it
// does not return.
func Main(m *testing.M) {
	server.owned = true
	code := m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the API server:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// Start returns the configuration of an administrator of the package's server. The first call starts
// it; each installs the CRDs of the directories it names, besides those of deploy/crds. The test is
// skipped where the binaries are missing, and failed on CI.
func Start(t testing.TB, crdDirs ...string) *rest.Config {
	t.Helper()
	server.Lock()
	defer server.Unlock()
	if !server.owned {
		t.Fatal("func TestMain(m *testing.M) { apitest.Main(m) } is missing: the server would outlive the tests")
	}
	switch {
	case server.cfg != nil:
	case server.env != nil:
		t.Fatal("the API server did not start for an earlier test")
	default:
		requireAssets(t)
		start(t)
	}
	if len(crdDirs) > 0 {
		opts := envtest.CRDInstallOptions{Paths: crdDirs, ErrorIfPathMissing: true}
		if _, err := envtest.InstallCRDs(server.cfg, opts); err != nil {
			t.Fatalf("install the CRDs of %v: %v", crdDirs, err)
		}
	}
	return rest.CopyConfig(server.cfg)
}

// Namespace creates a namespace for one test. It stays until the server stops.
func Namespace(t testing.TB, c client.Client) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	if err := c.Create(t.Context(), ns); err != nil {
		t.Fatalf("create a namespace: %v", err)
	}
	return ns.Name
}

func requireAssets(t testing.TB) {
	t.Helper()
	if os.Getenv(assets) != "" {
		return
	}
	const how = assets + " is not set: it names the directory with etcd, kube-apiserver and kubectl"
	if os.Getenv("CI") != "" {
		t.Fatal(how)
	}
	t.Skip(how)
}

func start(t testing.TB) {
	t.Helper()
	crds, err := ownCRDs()
	if err != nil {
		t.Fatal(err)
	}
	env := &envtest.Environment{
		CRDDirectoryPaths:        []string{crds},
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: startTimeout,
		ControlPlaneStopTimeout:  startTimeout,
	}
	// Every test has Services of its own, and the default has 254 addresses for all of them.
	env.ControlPlane.GetAPIServer().Configure().Set("service-cluster-ip-range", "10.96.0.0/16")
	// Kept before it is known whether it starts: one that failed half way has processes to stop too.
	server.env = env
	cfg, err := env.Start()
	if err != nil {
		t.Fatalf("start an API server from %s=%s: %v", assets, os.Getenv(assets), err)
	}
	server.cfg = cfg
}

func stop() error {
	server.Lock()
	defer server.Unlock()
	if server.env == nil {
		return nil
	}
	return server.env.Stop()
}

// ownCRDs is deploy/crds of the checkout that the test runs in: tests run in their package's folder.
func ownCRDs() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		crds := filepath.Join(dir, "deploy", "crds")
		if _, err := os.Stat(crds); err == nil {
			return crds, nil
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		return "", fmt.Errorf("deploy/crds is in no folder above the test's")
	}
}
