package bare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Rig is what a measurement needs: a server, the stub beside it, and the operator's binary, not started yet.
type Rig struct {
	*Server
	Prometheus *Prometheus
	// Binary is the path of the operator, Log that of what it writes.
	Binary, Log string
}

// Measure builds a rig from a checkout of the source, takes it down when use is done, and says on standard
// error what it is at. The context of use ends before the server does, which waits for those that watch it.
func Measure(ctx context.Context, name, source string, use func(context.Context, *Rig) error) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dir, err := os.MkdirTemp("", "serin-"+name)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	fmt.Fprintf(os.Stderr, "%s: starting an API server\n", name)
	s, err := Start(dir, source, name)
	if err != nil {
		return err
	}
	defer func() {
		cancel()
		err = errors.Join(err, s.Stop())
	}()
	r := &Rig{Server: s, Prometheus: StartPrometheus(), Binary: filepath.Join(dir, "serin"), Log: filepath.Join(dir, "serin.log")}
	defer r.Prometheus.Close()
	fmt.Fprintf(os.Stderr, "%s: building the operator\n", name)
	if err := Build(ctx, source, r.Binary); err != nil {
		return err
	}
	return use(ctx, r)
}
