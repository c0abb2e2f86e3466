package load

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// target is a gRPC server and how it is spoken to.
type target struct {
	address               string
	plaintext, noVerify   bool
	caFile                string
	serverName, authority string
	agent                 string
	connectTimeout        time.Duration
}

// connect returns connections that are made at the first request, and a function that ends them.
func (t target) connect(n int) ([]*grpc.ClientConn, func(), error) {
	creds, err := t.credentials()
	if err != nil {
		return nil, nil, err
	}
	agent := t.agent
	if agent == "" {
		agent = defaultAgent
	}
	// A target that comes back is met soon: the default waits for up to two minutes.
	retry := backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(creds), grpc.WithUserAgent(agent),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: retry, MinConnectTimeout: t.connectTimeout}),
	}
	if t.authority != "" {
		options = append(options, grpc.WithAuthority(t.authority))
	}
	var conns []*grpc.ClientConn
	hangUp := func() {
		for _, conn := range conns {
			_ = conn.Close() // nothing is left to be done about it
		}
	}
	for range n {
		conn, err := grpc.NewClient(t.address, options...)
		if err != nil {
			hangUp()
			return nil, nil, fmt.Errorf("address %s: %w", t.address, err)
		}
		conns = append(conns, conn)
	}
	return conns, hangUp, nil
}

func (t target) credentials() (credentials.TransportCredentials, error) {
	if t.plaintext {
		return insecure.NewCredentials(), nil
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: t.serverName,
		InsecureSkipVerify: t.noVerify, //nolint:gosec // a flag asks for it by name
	}
	if t.caFile != "" {
		pem, err := os.ReadFile(t.caFile)
		if err != nil {
			return nil, fmt.Errorf("read authorities: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("no certificate in %s", t.caFile)
		}
	}
	return credentials.NewTLS(config), nil
}

// grpcAnswer sorts an error: these three codes are also what the client itself says when it has heard
// of nobody.
func grpcAnswer(reply proto.Message, err error) answer {
	code := status.Code(err)
	got := answer{status: code.String()}
	switch code {
	case codes.OK:
		got.reached, got.bytes = true, int64(proto.Size(reply))
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		got.err = errors.New(status.Convert(err).Message())
	default:
		got.reached, got.err = true, errors.New(status.Convert(err).Message())
	}
	return got
}
