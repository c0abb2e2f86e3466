package chaos

import (
	"context"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/config"
	runtimemetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/controllers/canary"
	"github.com/serin-dev/serin/metrics"
	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/pkg/telemetry"
	"github.com/serin-dev/serin/pkg/webhook"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/gloo"
)

// series are shared by all processes: a name is registered once.
var series = telemetry.New(runtimemetrics.Registry, "chaos")

func newScheme() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1beta1.AddToScheme} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	return s
}

// process is one life of an operator.
type process struct {
	wire   *wire
	synced atomic.Bool
	// ended gets what the manager came back with.
	ended  chan error
	cancel context.CancelFunc
}

// restartPause is what a kubelet waits, roughly, before it starts a program again that gave up.
const restartPause = 500 * time.Millisecond

// begin starts a process as cmd/serin does, but for what it is connected to.
func (w *world) begin(t trap) *process {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := &process{wire: newWire(len(w.processes), &w.ledger), ended: make(chan error, 1)}
	w.processes = append(w.processes, p)
	p.wire.arm(t)
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	go func() { p.ended <- w.operate(ctx, p) }()
	return p
}

func (w *world) operate(ctx context.Context, p *process) error {
	cfg := rest.CopyConfig(w.cfg)
	cfg.UserAgent, cfg.QPS, cfg.Burst = "serin/chaos", -1, -1
	cfg.Wrap(p.wire.on)
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme: newScheme(), Cache: canary.CacheOptions(w.ns), Client: canary.ClientOptions(),
		Metrics:                 server.Options{BindAddress: "0"},
		Controller:              config.Controller{SkipNameValidation: ptr.To(true)}, // all processes are one here
		GracefulShutdownTimeout: ptr.To(5 * time.Second),
	})
	if err != nil {
		return err
	}
	routers, providers := &router.Registry{}, &metrics.Registry{}
	if err := routers.Add("gloo", gloo.New); err != nil {
		return err
	}
	if err := providers.Add("prometheus", func(metrics.Config) (metrics.Provider, error) { return w.prom, nil }); err != nil {
		return err
	}
	_, err = canary.Setup(mgr, canary.Options{
		Provider: "gloo", MetricsServer: "http://prometheus", SelectorLabels: []string{"app", "name"}, Home: w.ns,
		TrackConfigs: true, Workers: 2, Askers: 4,
	}, canary.Deps{
		Routers: routers, Metrics: providers, Notifiers: map[string]notifier.Notifier{
			steady: mouth{&w.ledger, p.wire, steady, &w.steady}, unsteady: mouth{&w.ledger, p.wire, unsteady, &w.unsteady}, "down": down{},
		},
		Alerts: &notifier.Registry{}, Hooks: webhook.New(nil, nil, ""), Telemetry: series,
	})
	if err != nil {
		return err
	}
	go func() { p.synced.Store(mgr.GetCache().WaitForCacheSync(ctx)) }()
	return mgr.Start(ctx)
}

func (p *process) stop() {
	p.cancel()
	<-p.ended
}

// supervise keeps an operator running until the world ends: one that died or gave up is followed by
// another, and beside one that is frozen another begins. The trap is for the first process.
func (w *world) supervise(t trap) *process {
	p := w.begin(t)
	w.lives.Go(func() { w.keep(p) })
	return p
}

func (w *world) keep(p *process) {
	frozen := p.wire.frozen
	for {
		select {
		case <-frozen:
			frozen = nil
			w.supervise(trap{})
			continue
		case <-p.wire.died:
			p.stop()
		case err := <-p.ended:
			p.cancel()
			if !closed(p.wire.died) {
				w.gaveUp(err)
				time.Sleep(restartPause)
			}
		case <-w.ctx.Done():
			p.stop()
			return
		}
		p = w.begin(trap{})
		frozen = p.wire.frozen
	}
}
