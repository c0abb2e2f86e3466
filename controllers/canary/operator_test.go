package canary_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	reg "github.com/prometheus/client_golang/prometheus"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/controllers/canary"
	"github.com/serin-dev/serin/metrics"
	prom "github.com/serin-dev/serin/metrics/prometheus"
	"github.com/serin-dev/serin/pkg/telemetry"
	"github.com/serin-dev/serin/pkg/webhook"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/gloo"
)

// operator is a running operator and what it asked of the API server.
type operator struct {
	requests wiretap
	// turns counts what controller-runtime calls a reconcile.
	turns    atomic.Int64
	registry *reg.Registry
	stop     func()
}

// operate starts an operator on the world's namespace. It stops with the test at the latest.
func (w *world) operate() *operator {
	w.t.Helper()
	op := &operator{registry: reg.NewRegistry()}
	cfg := rest.CopyConfig(w.cfg)
	cfg.UserAgent, cfg.QPS = "serin/test", -1
	cfg.Wrap(op.requests.on)
	if w.wire != nil {
		cfg.Wrap(func(send http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) { return w.wire(r, send) })
		})
	}
	caches := canary.CacheOptions(w.ns, w.secretNamespaces()...)
	if w.shared != "" {
		both := cache.ByObject{Namespaces: map[string]cache.Config{w.ns: {}, w.shared: {}}}
		caches.ByObject[&v1beta1.AlertProvider{}], caches.ByObject[&v1beta1.MetricTemplate{}] = both, both
	}
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme: newScheme(), Cache: caches, Client: canary.ClientOptions(),
		MapperProvider: w.mapper,
		Logger:         logr.New(turnLog{logr.Discard().GetSink(), &op.turns}),
		Metrics:        server.Options{BindAddress: "0"},
		Controller:     config.Controller{SkipNameValidation: ptr.To(true)}, // tests run several in one process
	})
	must(w.t, err)
	only := ""
	if w.confined {
		only = w.ns
	}
	_, err = canary.Setup(mgr, canary.Options{
		Namespace: only, Shard: w.shard, Provider: "fake", MetricsServer: "http://prometheus", SelectorLabels: []string{"app", "name"}, Home: w.ns,
		TrackConfigs: !w.untracked, SecretNamespaces: w.secretNamespaces(), ReferenceNamespaces: w.open, Guard: w.guard, Workers: 2, Askers: 4,
	}, canary.Deps{
		Routers: w.routers(), Metrics: w.metrics(), Notifiers: w.sinks(), Alerts: w.alertTypes(), Hooks: webhook.New(w.guard, w.trusted, w.tokenFile),
		Telemetry: telemetry.New(op.registry, "test"),
	})
	must(w.t, err)
	ctx, cancel := context.WithCancel(w.ctx)
	stopped := make(chan error, 1)
	go func() { stopped <- mgr.Start(ctx) }()
	op.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-stopped; err != nil {
			w.t.Errorf("the operator: %v", err)
		}
	})
	w.t.Cleanup(op.stop)
	return op
}

// secretNamespaces is the world's namespace where the operator may read Secrets.
func (w *world) secretNamespaces() []string {
	if !w.secrets {
		return nil
	}
	return []string{w.ns}
}

func (w *world) routers() *router.Registry {
	r := &router.Registry{}
	must(w.t, r.Add("fake", func(client.Client) (router.Router, error) { return seen{w.router, w.sees}, nil }))
	must(w.t, r.Add("gloo", gloo.New))
	return r
}

// sights are the calls of a router that a test wants to see.
type sights struct {
	get func(router.Target)
	set func(router.Target, router.Traffic)
	// watches are the router's besides its own.
	watches []router.Watch
}

// seen is a router that tells before it does.
type seen struct {
	router.Router
	by sights
}

func (s seen) Get(ctx context.Context, t router.Target) (router.State, error) {
	if s.by.get != nil {
		s.by.get(t)
	}
	return s.Router.Get(ctx, t)
}

func (s seen) Watches() []router.Watch { return append(s.Router.Watches(), s.by.watches...) }

func (s seen) Set(ctx context.Context, t router.Target, w router.Traffic, stamp router.Stamp) error {
	if s.by.set != nil {
		s.by.set(t, w)
	}
	return s.Router.Set(ctx, t, w, stamp)
}

// metrics has the world's Prometheus where it lives, and a client for whatever else is named.
func (w *world) metrics() *metrics.Registry {
	r := &metrics.Registry{}
	must(w.t, r.Add("prometheus", func(c metrics.Config) (metrics.Provider, error) {
		if c.Address == "http://prometheus" {
			return w.prom, nil
		}
		return prom.New(c)
	}))
	return r
}

// observed waits until the operator has come to see the world's canary and has settled.
func (w *world) observed(op *operator) {
	w.t.Helper()
	w.eventually("the operator has looked at the canary", func() bool {
		families, err := op.registry.Gather()
		must(w.t, err)
		for _, f := range families {
			if f.GetName() == "serin_canary_weight" {
				return true
			}
		}
		return false
	})
	w.eventually("the operator asks nothing any more", func() bool { return op.requests.quietFor(time.Second) })
}

// turnLog counts the turns by what the controller logs of each, and keeps no log.
type turnLog struct {
	logr.LogSink
	turns *atomic.Int64
}

func (turnLog) Init(logr.RuntimeInfo)            {}
func (turnLog) Enabled(level int) bool           { return level == 5 }
func (l turnLog) WithValues(...any) logr.LogSink { return l }
func (l turnLog) WithName(string) logr.LogSink   { return l }
func (turnLog) Error(error, string, ...any)      {}
func (l turnLog) Info(_ int, text string, _ ...any) {
	if text == "Reconciling" {
		l.turns.Add(1)
	}
}

// wiretap remembers what was asked of an API server; watches, which last, are left out.
type wiretap struct {
	mu    sync.Mutex
	lines []string
	last  atomic.Int64
}

func (t *wiretap) on(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.URL.Query().Get("watch") == "" {
			t.mu.Lock()
			t.lines = append(t.lines, r.Method+" "+r.URL.Path)
			t.mu.Unlock()
			t.last.Store(time.Now().UnixNano())
		}
		return next.RoundTrip(r)
	})
}

func (t *wiretap) quietFor(d time.Duration) bool { return time.Since(time.Unix(0, t.last.Load())) >= d }

func (t *wiretap) all() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.lines)
}

// writes are the requests that change something.
func (t *wiretap) writes() []string {
	return slices.DeleteFunc(t.all(), func(line string) bool { return strings.HasPrefix(line, http.MethodGet) })
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
