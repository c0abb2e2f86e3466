package load

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// Exit codes of Probe, which scripts know.
const (
	probeUsage     = 1
	probeNoAnswer  = 3
	probeUnhealthy = 4
)

// Probe asks a gRPC server once for its health, with the flags of grpc_health_probe.
func Probe(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var server target
	var service string
	var patience time.Duration
	flags := flag.NewFlagSet("grpc_health_probe", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&server.address, "addr", "", "address as `host:port`")
	flags.StringVar(&service, "service", "", "service to ask about (default: the server)")
	flags.StringVar(&server.agent, "user-agent", "grpc_health_probe", "user agent")
	flags.DurationVar(&server.connectTimeout, "connect-timeout", time.Second, "time that the connection may take")
	flags.DurationVar(&patience, "rpc-timeout", time.Second, "time that the answer may take")
	useTLS := flags.Bool("tls", false, "use TLS")
	flags.BoolVar(&server.noVerify, "tls-no-verify", false, "do not look at the certificate")
	flags.StringVar(&server.caFile, "tls-ca-cert", "", "file with the authorities of the certificate")
	flags.StringVar(&server.serverName, "tls-server-name", "", "name in the certificate")
	flags.Bool("v", false, "has no effect")
	err := flags.Parse(args)
	server.plaintext = !*useTLS
	switch {
	case errors.Is(err, flag.ErrHelp):
		return probeUsage
	case err != nil:
	case server.address == "":
		err = errors.New("-addr is missing")
	case flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if err != nil {
		fmt.Fprintln(stderr, "grpc_health_probe:", err)
		return probeUsage
	}
	ctx, cancel := context.WithTimeout(ctx, server.connectTimeout+patience)
	defer cancel()
	return server.probe(ctx, service, stdout, stderr)
}

func (t target) probe(ctx context.Context, service string, stdout, stderr io.Writer) int {
	conns, hangUp, err := t.connect(1)
	if err != nil {
		fmt.Fprintln(stderr, "grpc_health_probe:", err)
		return probeUsage
	}
	defer hangUp()
	resp, err := healthpb.NewHealthClient(conns[0]).Check(ctx, &healthpb.HealthCheckRequest{Service: service})
	if err != nil {
		fmt.Fprintf(stderr, "grpc_health_probe: health check of %s: %v\n", t.address, err)
		return probeNoAnswer
	}
	fmt.Fprintf(stdout, "status: %s\n", resp.GetStatus())
	if resp.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		return probeUnhealthy
	}
	return 0
}
