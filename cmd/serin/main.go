// Command serin is the operator. It parses flags, chooses implementations and runs the manager;
// every decision is made elsewhere.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	runtimemetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/cmd/internal/leases"
	"github.com/serin-dev/serin/cmd/serin/implementations"
	"github.com/serin-dev/serin/controllers/canary"
	"github.com/serin-dev/serin/pkg/telemetry"
	"github.com/serin-dev/serin/pkg/webhook"
)

// version is set by the build; without it the module's is shown.
var version = ""

func main() {
	if len(os.Args) > 1 && os.Args[1] == "release" {
		o, err := parseRelease(os.Args[2:], os.LookupEnv)
		start(o.options, err, func(ctx context.Context) error { return releaseCanaries(ctx, o, os.Stdout) })
		return
	}
	o, err := parse(os.Args[1:], os.LookupEnv)
	start(o, err, func(ctx context.Context) error { return run(ctx, o) })
}

// start runs what the flags ask for, unless they are wrong.
func start(o options, wrong error, run func(context.Context) error) {
	if wrong != nil {
		fmt.Fprintln(os.Stderr, "serin:", wrong)
		os.Exit(2)
	}
	log := logr.FromSlogHandler(o.logHandler(os.Stderr))
	ctrl.SetLogger(log)
	klog.SetLogger(log)
	slog.SetDefault(slog.New(o.logHandler(os.Stderr)))
	if os.Getenv("GOGC") == "" {
		go tendHeap()
	}
	if err := run(ctrl.SetupSignalHandler()); err != nil {
		log.Error(err, "stopped")
		os.Exit(1)
	}
}

// garbage is what may come together between two collections, in bytes, where that is neither more than what is in
// use nor less than a quarter of it: most of what is in use with thousands of canaries is caches.
const garbage = 32 << 20

// tendHeap returns memory to the system once a minute that nothing lies in any more, and decides by what does when
// the next collection is due. The runtime would keep what was ever in use between two collections, which after a
// start is twice what the caches come to.
func tendHeap() {
	debug.SetGCPercent(50)
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for range time.Tick(time.Minute) {
		debug.FreeOSMemory()
		metrics.Read(live)
		debug.SetGCPercent(int(min(100, max(25, 100*garbage/live[0].Value.Uint64()))))
	}
}

func run(ctx context.Context, o options) error {
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the API server: %w", err)
	}
	config.UserAgent = "serin/" + release()
	config.QPS, config.Burst = -1, -1 // the API server's own fairness decides; a queue here would only hide it
	if err := o.rights(ctx, config); err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(config, managerOptions(o))
	if err != nil {
		return fmt.Errorf("set up the manager: %w", err)
	}
	tm := telemetry.New(runtimemetrics.Registry, release())
	sinks, err := o.notifiers()
	if err != nil {
		return err
	}
	_, err = canary.Setup(mgr, canary.Options{
		Namespace: o.namespace, Shard: o.shard, Provider: o.provider, MetricsServer: o.metricsServer, SelectorLabels: o.selectorLabels,
		ClusterName: o.clusterName, EventWebhook: o.eventWebhook, CommandsStamped: o.commandsStamped, Home: o.leaderNamespace,
		TrackConfigs: o.configTracking, SecretNamespaces: o.secretNamespaces, ReferenceNamespaces: o.referenceNamespaces,
		Guard: o.guard, Workers: 32, Askers: 128,
	}, canary.Deps{
		Routers: implementations.Routers(), Metrics: implementations.Metrics(), Notifiers: sinks, Alerts: implementations.Alerts(),
		Hooks: webhook.New(o.guard, o.trustedLoadtesters, o.loadtesterTokenFile), Telemetry: tm,
	})
	if err != nil {
		return fmt.Errorf("set up the controller: %w", err)
	}
	if err := addChecks(mgr); err != nil {
		return err
	}
	if err := mgr.Add(rivals{reader: mgr.GetAPIReader(), scope: o.namespace, shard: o.shard, self: o.leaseKey()}); err != nil {
		return err
	}
	go func() {
		select {
		case <-mgr.Elected():
			tm.Lead()
		case <-ctx.Done():
		}
	}()
	return mgr.Start(ctx)
}

func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1beta1.AddToScheme} {
		if err := add(scheme); err != nil { // compiled in: fails always or never
			panic(err)
		}
	}
	return scheme
}

func managerOptions(o options) ctrl.Options {
	return ctrl.Options{
		Scheme: newScheme(), Cache: canary.CacheOptions(o.namespace, o.secretNamespaces...), Client: canary.ClientOptions(),
		Metrics:                o.metrics(),
		HealthProbeBindAddress: o.healthAddress, PprofBindAddress: o.pprofAddress,
		LeaderElection: o.leaderElect, LeaderElectionID: o.leaseKey().Name, LeaderElectionNamespace: o.leaderNamespace,
		LeaderElectionLabels: leases.Labels(o.namespace, o.shard), LeaderElectionReleaseOnCancel: true,
	}
}

// addChecks ties readiness to the caches and to nothing else: an operator that waits for its
// leadership is ready, or a rolling update would wait for ever.
func addChecks(mgr ctrl.Manager) error {
	synced := &syncCheck{cache: mgr.GetCache()}
	if err := mgr.Add(synced); err != nil {
		return err
	}
	if err := mgr.AddReadyzCheck("caches", synced.check); err != nil {
		return err
	}
	return mgr.AddHealthzCheck("ping", healthz.Ping)
}

func release() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "dev"
}
