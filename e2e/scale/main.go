// Command scale measures the operator with many canaries and many rollouts at once, and prints a table
// for each number of canaries that is given. Package bare says what of it is real; pods are its stand-in's.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/serin-dev/serin/e2e/internal/bare"
)

func main() {
	only := flag.String("only", "", "situations to measure, of "+strings.Join(names(), ", ")+"; all unless given")
	flag.Parse()
	sizes, err := numbers(flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(2)
	}
	ctrl.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	for _, n := range sizes {
		if err = run(ctx, n, *only); err != nil {
			fmt.Fprintln(os.Stderr, "scale:", err)
			break
		}
	}
	stop()
	if err != nil {
		os.Exit(1)
	}
}

func numbers(args []string) ([]int, error) {
	if len(args) == 0 {
		return []int{50, 400, 1000}, nil
	}
	var out []int
	for _, arg := range args {
		n, err := strconv.Atoi(arg)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is no number of canaries", arg)
		}
		if n > beside && n%beside != 0 {
			return nil, fmt.Errorf("%d canaries are no multiple of %d, which share a namespace", n, beside)
		}
		out = append(out, n)
	}
	return out, nil
}

// run measures one number of canaries on an API server of its own.
func run(ctx context.Context, n int, only string) error {
	return bare.Measure(ctx, "scale", "..", func(ctx context.Context, rig *bare.Rig) error {
		op := &operator{rig: rig}
		if err := op.start(ctx); err != nil {
			return err
		}
		defer op.stop()
		w, err := bare.NewWorld(ctx, rig.Config)
		if err != nil {
			return err
		}
		f := &fleet{World: w, rig: rig, op: op, size: n}
		return f.measure(ctx, only)
	})
}

// measure takes the figures in an order in which none disturbs another.
func (f *fleet) measure(ctx context.Context, only string) error {
	if err := f.bareManager(ctx); err != nil {
		return err
	}
	progress("adopting %d canaries", f.size)
	began := time.Now()
	if err := f.adopt(ctx); err != nil {
		return err
	}
	fmt.Printf("\n%d canaries, there in %s. The operator with none holds %.0f MiB.\n\n%s", f.size, time.Since(began).Round(time.Second), f.empty, head)
	for _, s := range situations {
		if s.rollouts > f.size || only != "" && !slices.Contains(strings.Split(only, ","), s.name) {
			continue
		}
		progress("%d canaries: %s", f.size, s.name)
		r, err := f.take(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Println(r)
	}
	return nil
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, "scale: "+format+"\n", args...) }
