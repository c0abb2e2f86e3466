// Command bench measures what the operator costs and how fast it reacts, and prints one
// `name value unit` line each. etcd, kube-apiserver and the operator's own binary are real. Pods are
// not: a stand-in makes them (pkg/apitest/standin); nor is Prometheus: a stub answers every query
// with success; nor a gateway: Gloo's kinds are there and nobody reads them.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/serin-dev/serin/pkg/apitest/standin"
)

const (
	// fleet is how many canaries the operator holds while it is measured.
	fleet = 50
	// samples of the reaction; each is another canary's.
	samples = 40
	// idleTime is how long the fleet is watched at rest.
	idleTime = time.Minute
)

func main() {
	ctrl.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dir, err := os.MkdirTemp("", "serin-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	progress("starting an API server")
	s, err := startServer(dir)
	if err != nil {
		return err
	}
	standsIn := make(chan error, 1)
	go func() {
		standsIn <- standin.Run(ctx, s.config, standin.Options{Startup: 200 * time.Millisecond, Workers: 8})
	}()
	defer func() {
		cancel() // the server waits for those that watch it
		err = errors.Join(err, <-standsIn, s.stop())
	}()
	prometheus := startPrometheus()
	defer prometheus.Close()
	progress("building the operator")
	op, err := startOperator(ctx, dir, s.kubeconfig, prometheus.URL)
	if err != nil {
		return err
	}
	defer op.stop()
	return measure(ctx, s, op)
}

// measure takes the figures in an order in which none disturbs another.
func measure(ctx context.Context, s *server, op *operator) error {
	w, err := newWorld(ctx, s.config)
	if err != nil {
		return err
	}
	progress("adopting %d canaries", fleet)
	if err := w.adopt(ctx, fleet); err != nil {
		return err
	}
	progress("a rollout of %d steps of %s", len(steps), interval)
	if err := measureRun(ctx, w, s); err != nil {
		return err
	}
	progress("%s at rest", idleTime)
	if err := measureIdle(ctx, w, s, op); err != nil {
		return err
	}
	progress("%d commands", 2*samples)
	if err := measureCommands(ctx, w); err != nil {
		return err
	}
	progress("%d changes of an image", samples)
	return measureReaction(ctx, w)
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...) }

// figure prints one result.
func figure(name string, value float64, unit string) { fmt.Printf("%s %.3f %s\n", name, value, unit) }
