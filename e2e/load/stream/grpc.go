package stream

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"
)

// versionMethod is podinfo's. Its request is empty, and its answer's first field is the version.
const (
	versionMethod = "/version.VersionService/Version"
	versionField  = 1
)

func overGRPC(spec Spec) [2]asker {
	dial := func() (*grpc.ClientConn, error) {
		u, err := url.Parse(spec.URL)
		if err != nil {
			return nil, err
		}
		return grpc.NewClient("passthrough:///"+u.Host, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithAuthority(spec.Host), grpc.WithStatsHandler(attempts{}))
	}
	kept, err := dial() // connects with the first call, and lives as long as the stream's process
	return [2]asker{
		func() answer {
			if err != nil {
				return answer{failure: err.Error()}
			}
			return call(kept, spec.Headers)
		},
		func() answer {
			fresh, err := dial()
			if err != nil {
				return answer{failure: err.Error()}
			}
			a := call(fresh, spec.Headers)
			if err := fresh.Close(); err != nil && a.failure == "" {
				a.failure = err.Error()
			}
			return a
		},
	}
}

func call(conn *grpc.ClientConn, headers map[string]string) answer {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	ctx = metadata.NewOutgoingContext(ctx, metadata.New(headers))
	var n atomic.Int32
	a := invoke(context.WithValue(ctx, attempts{}, &n), conn)
	a.repeated = max(0, int(n.Load())-1)
	return a
}

func invoke(ctx context.Context, conn *grpc.ClientConn) answer {
	// Fields that a message does not know are kept as they came.
	said, got := &emptypb.Empty{}, metadata.MD{}
	if err := conn.Invoke(ctx, versionMethod, &emptypb.Empty{}, said, grpc.Header(&got)); err != nil {
		return answer{failure: err.Error()}
	}
	version, err := field(said.ProtoReflect().GetUnknown(), versionField)
	if err != nil {
		return answer{failure: err.Error()}
	}
	return answer{version: version, cookies: cookies(&http.Response{Header: http.Header{"Set-Cookie": got.Get("set-cookie")}})}
}

// attempts counts those of a call. grpc-go repeats one that no server has processed ("transparent retries"):
// grpc.WithDisableRetry would only end retries by a policy, of which there is none here.
type attempts struct{}

// HandleRPC counts in what the call's context has.
func (attempts) HandleRPC(ctx context.Context, s stats.RPCStats) {
	if _, ok := s.(*stats.Begin); ok {
		ctx.Value(attempts{}).(*atomic.Int32).Add(1)
	}
}

// TagRPC leaves a call as it is.
func (attempts) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

// TagConn leaves a connection as it is.
func (attempts) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn counts no connections.
func (attempts) HandleConn(context.Context, stats.ConnStats) {}

// field reads a string of an encoded message.
func field(message []byte, number protowire.Number) (string, error) {
	for len(message) > 0 {
		n, kind, length := protowire.ConsumeTag(message)
		if length < 0 {
			return "", protowire.ParseError(length)
		}
		message = message[length:]
		if n == number && kind == protowire.BytesType {
			value, length := protowire.ConsumeString(message)
			return value, protowire.ParseError(length)
		}
		if length = protowire.ConsumeFieldValue(n, kind, message); length < 0 {
			return "", protowire.ParseError(length)
		}
		message = message[length:]
	}
	return "", errors.New("the answer names no version")
}
