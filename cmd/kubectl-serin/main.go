// Command kubectl-serin is the plugin behind `kubectl serin`: it gives a Canary commands, waits for the
// operator's answer, and shows what the operator wrote into the Canary's status. It decides nothing, but
// for release --force, which does an operator's work.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // the ways to log in that kubectl knows
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

// version is set by the build; without it the module's is shown.
var version = ""

// What a pipeline has to tell apart.
const (
	exitDone    = 0
	exitRefused = 1 // a command was refused, or the revision was not promoted
	exitTimeout = 2 // nothing was decided in time
	exitBroken  = 3 // wrong arguments, no such Canary, no cluster
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)   // a second one ends it at once
	klog.SetLogger(logr.Discard()) // what the libraries have to say comes back as errors
	ctrl.SetLogger(logr.Discard())
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot(&session{out: stdout, now: time.Now})
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	outcome, known := errors.AsType[outcomeError](err)
	if !known {
		outcome = outcomeError{code: exitBroken, text: err.Error()}
	}
	fmt.Fprintln(stderr, outcome.text)
	return outcome.code
}

// outcomeError is an end that is not good, in words, with the exit code that says so.
type outcomeError struct {
	code int
	text string
}

func (e outcomeError) Error() string { return e.text }

func release() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "dev"
}
