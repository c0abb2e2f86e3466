// Command gateway is the gateway of Serin's local cluster. The data plane is
// real: Envoy itself carries every request, counts it and drains it. The
// control plane is a stand-in of ours for Gloo, whose Go module cannot be
// fetched where this is built: it reads the VirtualServices, RouteTables and
// Upstreams that Gloo reads, tells Envoy what Gloo would tell it, and writes
// the statuses that Gloo would write, in Gloo's words. What a test on this
// gateway proves about Envoy is proven; what it proves about Gloo is as good
// as package translate is true to Gloo.
//
// It honours the fields that package gloo lists. Options beyond those are
// ignored, and the object says so with a Warning. There is no validating
// webhook and no Gateway object: one listener serves all VirtualServices.
//
// A ConfigMap named gateway-faults beside it makes it misbehave:
//
//	delay: 2s      everything it does comes two seconds late, in order
//	reject: words  every RouteTable is Rejected with these words, and what was
//	               served before stays in force
//	paused: true   it is gone: nothing reaches Envoy and no status is written
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/serin-dev/serin/e2e/gateway/translate"
)

func main() {
	handler := slog.NewJSONHandler(os.Stderr, nil)
	slog.SetDefault(slog.New(handler))
	log.SetLogger(logr.FromSlogHandler(handler))

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		slog.Error("gateway control plane ends", "error", err)
		os.Exit(1) //nolint:gocritic // exitAfterDefer: nothing is left to undo
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("gateway", flag.ContinueOnError)
	xds := flags.String("xds-address", ":9977", "`address` on which Envoy gets its configuration")
	address := flags.String("listen-address", "0.0.0.0", "`address` on which Envoy listens for requests")
	port := flags.Uint("listen-port", 8080, "`port` on which Envoy listens for requests")
	namespace := flags.String("namespace", "gloo-system", "`namespace` under which statuses are kept")
	if err := flags.Parse(args); err != nil {
		return err
	}
	cfg, err := config.GetConfig()
	if err != nil {
		return fmt.Errorf("find the API server: %w", err)
	}
	settings := translate.Settings{Namespace: *namespace, Address: *address, Port: uint32(*port)}
	plane, err := newPlane(ctx, cfg, settings)
	if err != nil {
		return err
	}
	return plane.run(ctx, func() (net.Listener, error) {
		return (&net.ListenConfig{}).Listen(ctx, "tcp", *xds)
	})
}
