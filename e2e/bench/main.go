// Command bench measures what the operator costs and how fast it reacts, and prints one
// `name value unit` line each. Package bare says what of it is real.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/serin-dev/serin/e2e/internal/bare"
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

func run(ctx context.Context) error {
	return bare.Measure(ctx, "bench", "..", func(ctx context.Context, rig *bare.Rig) error {
		op, err := bare.StartOperator(ctx, rig.Binary, rig.Log, rig.Kubeconfig, rig.Prometheus.URL)
		if err != nil {
			return err
		}
		defer op.Stop()
		return measure(ctx, rig.Server, op)
	})
}

// measure takes the figures in an order in which none disturbs another.
func measure(ctx context.Context, s *bare.Server, op *bare.Operator) error {
	w, err := bare.NewWorld(ctx, s.Config)
	if err != nil {
		return err
	}
	progress("adopting %d canaries", fleet)
	if err := adopt(ctx, w, fleet); err != nil {
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
