// Package suite plays whole rollouts on a whole cluster: real Kubernetes, real Envoy, the operator from
// its own chart, and users who send 200 requests a second through all of it. Each scene asserts how it
// ends, what the route did on the way, and that no request failed that podinfo did not fail itself.
package suite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/serin-dev/serin/e2e/cluster/progress"
	"github.com/serin-dev/serin/e2e/internal/stage"
)

// set is the stage of all scenes; each has a namespace of its own on it.
var set *stage.Stage

// strikeTime is what cleaning up may take, after an interrupt too.
const strikeTime = 5 * time.Minute

func TestMain(m *testing.M) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code, err := run(ctx, m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "suite:", err)
		code = 1
	}
	os.Exit(code) //nolint:gocritic // exitAfterDefer: nothing is left to undo
}

func run(ctx context.Context, m *testing.M) (code int, err error) {
	config, err := stage.FromEnvironment()
	if err != nil {
		return 1, err
	}
	if config.Existing {
		return 1, errors.New("the suite takes parts of the cluster away: it plays on the local one only, never with CLUSTER=existing")
	}
	set, err = stage.Set(ctx, config, progress.New(os.Stderr))
	defer func() {
		strike, cancel := context.WithTimeout(context.WithoutCancel(ctx), strikeTime)
		defer cancel()
		err = errors.Join(err, set.Strike(strike))
	}()
	if err != nil {
		return 1, err
	}
	return m.Run(), nil
}
