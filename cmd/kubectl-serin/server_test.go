package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/apitest"
	"github.com/serin-dev/serin/pkg/rollout"
)

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard()) // envtest's, and nothing that a test asserts
	klog.SetLogger(logr.Discard())
	apitest.Main(m)
}

// server is a real API server, a namespace of it, and a kubeconfig that leads there.
type server struct {
	client.WithWatch
	namespace, kubeconfig string
}

func newServer(t *testing.T) server {
	t.Helper()
	cfg := apitest.Start(t)
	scheme := newScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.NewWithWatch(cfg, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	s := server{WithWatch: c, namespace: apitest.Namespace(t, c)}
	s.kubeconfig = writeKubeconfig(t, cfg, s.namespace)
	return s
}

func writeKubeconfig(t *testing.T, cfg *rest.Config, namespace string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	err := clientcmd.WriteToFile(clientcmdapi.Config{
		CurrentContext: "test",
		Contexts:       map[string]*clientcmdapi.Context{"test": {Cluster: "test", AuthInfo: "test", Namespace: namespace}},
		Clusters:       map[string]*clientcmdapi.Cluster{"test": {Server: cfg.Host, CertificateAuthorityData: cfg.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"test": {ClientCertificateData: cfg.CertData, ClientKeyData: cfg.KeyData}},
	}, file)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// result is what a command came to.
type result struct {
	code           int
	stdout, stderr string
}

func (s server) run(t *testing.T, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), append(args, "--kubeconfig", s.kubeconfig), &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// has stores the world's Canary.
func (s server) has(t *testing.T, w *world) {
	t.Helper()
	status := w.c.Status
	stored := w.c.DeepCopy()
	stored.Namespace, stored.UID, stored.Generation = s.namespace, "", 0
	if err := s.Create(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
	stored.Status = status
	if err := s.Status().Update(t.Context(), stored); err != nil {
		t.Fatal(err)
	}
}

// operate is an operator that knows the world: it obeys commands until the test ends. Its world is only
// to be touched while it is locked.
func (s server) operate(t *testing.T, w *world) *sync.Mutex {
	t.Helper()
	lock := &sync.Mutex{}
	ctx, cancel := context.WithCancel(t.Context())
	changes, err := s.Watch(ctx, &v1beta1.CanaryList{}, client.InNamespace(s.namespace))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { cancel(); <-ended })
	go func() {
		defer close(ended)
		for e := range changes.ResultChan() {
			c, ok := e.Object.(*v1beta1.Canary)
			if !ok {
				continue
			}
			lock.Lock()
			err := s.obey(ctx, w, c)
			lock.Unlock()
			if err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	}()
	return lock
}

func (s server) obey(ctx context.Context, w *world, c *v1beta1.Canary) error {
	text := c.Annotations[v1beta1.CommandAnnotation]
	if text == "" {
		return nil
	}
	parsed, err := v1beta1.ParseCommand(text)
	if err != nil || c.Status.Command != nil && c.Status.Command.ID == parsed.ID {
		return err
	}
	w.command = &rollout.Command{Command: parsed, SelfReported: true}
	if who := c.Annotations[v1beta1.CommandUserAnnotation]; who != "" {
		w.command.By, w.command.SelfReported = who, false
	}
	w.turn()
	c.Status = w.c.Status
	return client.IgnoreNotFound(s.Status().Update(ctx, c))
}

// command is what stands in the annotation.
func (s server) command(t *testing.T) string {
	t.Helper()
	c := &v1beta1.Canary{}
	if err := s.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "podinfo"}, c); err != nil {
		t.Fatal(err)
	}
	return c.Annotations[v1beta1.CommandAnnotation]
}

// gateway is a way to the API server that can be shut.
type gateway struct {
	*httptest.Server
	shut atomic.Bool
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	cfg := apitest.Start(t)
	to, err := url.Parse(cfg.Host)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(cfg)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Transport: transport, FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	g := &gateway{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.shut.Load() {
			http.Error(w, "shut", http.StatusServiceUnavailable)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(g.Close)
	return g
}
