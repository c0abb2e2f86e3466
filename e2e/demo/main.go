// Command demo shows Serin at work on a whole cluster with real traffic: podinfo is adopted, a new
// version of it is promoted, and a broken one is rolled back, while users send requests through the
// gateway and Slack tells of both. It ends with 0 only if both rollouts ended as they should and no
// request failed that podinfo did not fail itself.
//
//	KEEP=1             leaves everything up and says how to play on
//	CLUSTER=existing   plays on the cluster that KUBECONFIG names, in namespaces of its own;
//	                   IMAGE_LOAD='kind load image-archive {tar}' or REGISTRY=registry.example/team
//	                   says how the images get there
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/serin-dev/serin/e2e/cluster/progress"
	"github.com/serin-dev/serin/e2e/internal/stage"
)

// strikeTime is what cleaning up may take, after an interrupt too.
const strikeTime = 5 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1) //nolint:gocritic // exitAfterDefer: nothing is left to undo
	}
}

func run(ctx context.Context) (err error) {
	config, err := stage.FromEnvironment()
	if err != nil {
		return err
	}
	steps := progress.New(os.Stderr)
	s, err := stage.Set(ctx, config, steps)
	defer func() {
		strike, cancel := context.WithTimeout(context.WithoutCancel(ctx), strikeTime)
		defer cancel()
		err = errors.Join(err, s.Strike(strike))
	}()
	if err != nil {
		return err
	}
	show := newShow(s, steps)
	if err := show.play(ctx); err != nil {
		show.post(context.WithoutCancel(ctx))
		return err
	}
	if config.Keep {
		fmt.Print(show.playOn())
	}
	return nil
}
