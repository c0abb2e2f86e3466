// Program loadtester answers the webhooks of canaries: it runs their shell commands and keeps their
// gates. Its flags are those that existing manifests start such a load tester with, and -auth-* and
// -gates-* .
//
// Under another name it is another program: see tools.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/serin-dev/serin/pkg/loadtester"
)

// version is set by the linker.
var version = "dev"

// answerTime is how long requests get, after their commands were killed, to
// receive their answers.
const answerTime = 5 * time.Second

func main() {
	os.Exit(start(os.Args))
}

// start returns the exit code.
func start(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal asks for an orderly end, the second one kills.
	context.AfterFunc(ctx, stop)
	if tool, args, ok := findTool(args); ok {
		return tool(ctx, args, os.Stdout, os.Stderr)
	}
	err := run(ctx, args[1:], os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "loadtester:", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, args []string, stderr io.Writer) error {
	opts, err := parse(args, stderr)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: opts.level}))
	opts.config.Log = log
	if opts.config.Gates, err = opts.openGates(); err != nil {
		return err
	}
	if len(opts.ignored) > 0 {
		log.Info("these flags have no effect here", "flags", opts.ignored)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", ":"+opts.port)
	if err != nil {
		return fmt.Errorf("listen on port %s: %w", opts.port, err)
	}
	log.Info("load tester started", "version", version, "address", listener.Addr().String(), "timeout", opts.config.Timeout.String())
	return serve(ctx, listener, loadtester.New(opts.config))
}

// serve returns when ctx has ended, every command is gone and every request is
// answered.
func serve(ctx context.Context, listener net.Listener, tester *loadtester.Server) error {
	// No write or read timeout: a bash task is answered when its command ends.
	server := &http.Server{Handler: tester.Handler(), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		tester.Close()
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	tester.Close()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
	defer cancel()
	if err := server.Shutdown(last); err != nil {
		return fmt.Errorf("shut down: %w", err)
	}
	return nil
}
