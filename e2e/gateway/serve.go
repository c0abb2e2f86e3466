package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/proto"

	"github.com/serin-dev/serin/e2e/gateway/translate"
)

// everyProxy is the key of the one configuration: all Envoys get the same.
const everyProxy = "gateway-proxy"

type sameForAll struct{}

func (sameForAll) ID(*corev3.Node) string { return everyProxy }

// publisher hands configurations to Envoy over one aggregated stream.
type publisher struct {
	cache cachev3.SnapshotCache
}

func newPublisher() *publisher {
	return &publisher{cache: cachev3.NewSnapshotCache(true, sameForAll{}, nil)}
}

// publish puts a configuration in force. Each sort of resource has a version
// of its own, made of its content, so that Envoy hears only of what changed.
func (p *publisher) publish(ctx context.Context, r translate.Result) error {
	snapshot := &cachev3.Snapshot{}
	snapshot.Resources[types.Cluster] = versioned(r.Clusters)
	snapshot.Resources[types.Endpoint] = versioned(r.Endpoints)
	snapshot.Resources[types.Route] = versioned(one(r.Routes))
	snapshot.Resources[types.Listener] = versioned(one(r.Listener))
	if err := snapshot.Consistent(); err != nil {
		return fmt.Errorf("configuration for Envoy: %w", err)
	}
	if err := p.cache.SetSnapshot(ctx, everyProxy, snapshot); err != nil {
		return fmt.Errorf("hand configuration to Envoy: %w", err)
	}
	return nil
}

func one[T any](item T) []T { return []T{item} }

func versioned[T types.Resource](resources []T) cachev3.Resources {
	hash := sha256.New()
	items := make([]types.Resource, 0, len(resources))
	for _, r := range resources {
		raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
		if err != nil {
			// Invalid text in a resource; the cache will refuse it in its
			// own words, this must only not look like the version before.
			raw = []byte(err.Error())
		}
		fmt.Fprintf(hash, "%d:", len(raw))
		hash.Write(raw)
		items = append(items, r)
	}
	return cachev3.NewResources(hex.EncodeToString(hash.Sum(nil)[:8]), items)
}

// serve answers Envoys until the context ends.
func (p *publisher) serve(ctx context.Context, ln net.Listener) error {
	server := grpc.NewServer(
		// Envoy pings to notice a control plane that vanished without a word,
		// more often than gRPC allows by default.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 10 * time.Second, Timeout: 5 * time.Second}),
	)
	callbacks := serverv3.CallbackFuncs{StreamRequestFunc: logRefusal}
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(server, serverv3.NewServer(ctx, p.cache, callbacks))
	stop := context.AfterFunc(ctx, server.Stop)
	defer stop()
	if err := server.Serve(ln); err != nil && ctx.Err() == nil {
		return fmt.Errorf("serve Envoy: %w", err)
	}
	return nil
}

// logRefusal shows what Envoy refuses. As with Gloo this reaches no status:
// whoever believes an Accepted has not looked at the traffic.
func logRefusal(_ int64, r *discoveryv3.DiscoveryRequest) error {
	if r.GetErrorDetail() != nil {
		slog.Error("Envoy refuses its configuration", "type", r.GetTypeUrl(), "error", r.GetErrorDetail().GetMessage())
	}
	return nil
}
