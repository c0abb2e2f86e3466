package load

import (
	"context"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionalphapb "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// echoProto is a service that this program knows nothing of.
const echoProto = `syntax = "proto3";
package shop.v1;
import "google/protobuf/duration.proto";
message Order { string item = 1; int32 count = 2; google.protobuf.Duration within = 3; }
message Receipt { string item = 1; }
service Orders {
  rpc Place(Order) returns (Receipt);
  rpc Watch(Order) returns (stream Receipt);
}`

// shop is a gRPC server that remembers what it was asked.
type shop struct {
	address string
	health  *health.Server
	mu      sync.Mutex
	orders  []string
	header  metadata.MD
	fail    error
}

// The kinds of reflection that servers have.
const (
	noReflection = iota
	newReflection
	oldReflection
)

func openShop(t *testing.T, kind int, options ...grpc.ServerOption) *shop {
	t.Helper()
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{
		Accessor: protocompile.SourceAccessorFromMap(map[string]string{"orders.proto": echoProto}),
	})}
	files, err := compiler.Compile(t.Context(), "orders.proto")
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{health: health.NewServer()}
	server := grpc.NewServer(options...)
	healthpb.RegisterHealthServer(server, s.health)
	server.RegisterService(s.described(files[0].Services().Get(0)), nil)
	reflect := reflection.ServerOptions{Services: server, DescriptorResolver: files.AsResolver()}
	switch kind {
	case newReflection:
		reflectionpb.RegisterServerReflectionServer(server, reflection.NewServerV1(reflect))
	case oldReflection:
		reflectionalphapb.RegisterServerReflectionServer(server, reflection.NewServer(reflect))
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().String()
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return s
}

func (s *shop) described(service protoreflect.ServiceDescriptor) *grpc.ServiceDesc {
	method := service.Methods().ByName("Place")
	return &grpc.ServiceDesc{ServiceName: string(service.FullName()), HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{
		MethodName: "Place",
		Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			order := dynamicpb.NewMessage(method.Input())
			if err := decode(order); err != nil {
				return nil, err
			}
			text, err := protojson.Marshal(order)
			if err != nil {
				return nil, err
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.header, _ = metadata.FromIncomingContext(ctx)
			s.orders = append(s.orders, strings.ReplaceAll(string(text), " ", ""))
			return dynamicpb.NewMessage(method.Output()), s.fail
		},
	}}}
}

func TestGhzCallsTheHealthCheck(t *testing.T) {
	for name, args := range map[string][]string{
		"by default":                       nil,
		"with the file of another's image": {"--proto=/tmp/ghz/health.proto", "--call=grpc.health.v1.Health/Check"},
		"of a service":                     {"--call", "grpc.health.v1.Health.Check", "-d", `{"service": "known"}`},
	} {
		t.Run(name, func(t *testing.T) {
			s := openShop(t, noReflection)
			s.health.SetServingStatus("known", healthpb.HealthCheckResponse_SERVING)
			out, code := play(t, Ghz, append(args, "-n", "10", "-c", "2", "--insecure", s.address)...)
			if code != 0 {
				t.Errorf("exit code %d", code)
			}
			wantOutput(t, out, "Status code distribution:\n  [OK]\t10 responses\n", "99% in")
		})
	}
}

// As manuals write it.
func TestGhzForATimeAtARate(t *testing.T) {
	s := openShop(t, noReflection)
	out, code := play(t, Ghz, "-z", "500ms", "-q", "20", "-c", "2", "-insecure", "--cpus", "1", s.address)
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	counted := strings.Count(out, "[OK]\t")
	var n int
	if _, rest, ok := strings.Cut(out, "[OK]\t"); ok {
		for _, digit := range strings.Fields(rest)[0] {
			n = 10*n + int(digit-'0')
		}
	}
	if counted != 1 || n < 3 || n > 11 {
		t.Errorf("%d requests at 20 a second in half a second:\n%s", n, out)
	}
}

func TestGhzCallsWhatTheServerDescribes(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "orders.proto")
	if err := os.WriteFile(file, []byte(echoProto), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		kind int
		args []string
		want []string
	}{
		"reflection":          {newReflection, []string{"-d", `{"item": "tea", "count": 2, "within": "1.5s"}`}, []string{`{"item":"tea","count":2,"within":"1.500s"}`}},
		"the older one":       {oldReflection, []string{"-d", `{"item": "tea"}`}, []string{`{"item":"tea"}`}},
		"an empty message":    {newReflection, nil, []string{"{}"}},
		"a file":              {noReflection, []string{"--proto", file, "-d", `{"item": "tea"}`}, []string{`{"item":"tea"}`}},
		"a file and a folder": {noReflection, []string{"--proto", "orders.proto", "-i", "/nowhere," + folder}, []string{"{}"}},
		"a list in turns":     {newReflection, []string{"-n", "3", "-d", `[{"item": "tea"}, {"item": "milk"}]`}, []string{`{"item":"tea"}`, `{"item":"milk"}`, `{"item":"tea"}`}},
		"flags behind":        {newReflection, []string{"--data", `{"count": 1}`}, []string{`{"count":1}`}},
	} {
		t.Run(name, func(t *testing.T) {
			s := openShop(t, tc.kind)
			args := append([]string{s.address, "--insecure", "-n", "1", "-c", "1", "--call", "shop.v1.Orders/Place", "-m", `{"x-canary": "insider"}`}, tc.args...)
			out, code := play(t, Ghz, args...)
			if code != 0 {
				t.Errorf("exit code %d: %s", code, out)
			}
			if diff := cmp.Diff(tc.want, s.orders); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
			if got := s.header.Get("x-canary"); !slices.Equal(got, []string{"insider"}) {
				t.Errorf("metadata %v", s.header)
			}
			if got := s.header.Get("user-agent"); !strings.HasPrefix(got[0], defaultAgent) {
				t.Errorf("user agent %q", got)
			}
		})
	}
}

func TestGhzCountsWhatTheServerRefuses(t *testing.T) {
	s := openShop(t, newReflection)
	s.fail = status.Error(codes.PermissionDenied, "not you")
	out, code := play(t, Ghz, "--insecure", "-n", "4", "-c", "2", "--call", "shop.v1.Orders/Place", s.address)
	if code != 0 {
		t.Errorf("exit code %d, but the server has answered", code)
	}
	wantOutput(t, out, "[PermissionDenied]\t4 responses", "[4]\tnot you")
}

func TestGhzOverTLS(t *testing.T) {
	web := httptest.NewUnstartedServer(http.NotFoundHandler())
	web.StartTLS() // it has a certificate, for example.com
	defer web.Close()
	ca := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openShop(t, noReflection, grpc.Creds(credentials.NewServerTLSFromCert(&web.TLS.Certificates[0])))
	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"an authority":          {[]string{"--cacert", ca, "--cname", "example.com"}, 0, "[OK]\t1"},
		"an unknown authority":  {nil, exitUnanswered, "certificate"},
		"another name":          {[]string{"--cacert", ca, "--cname", "other.org"}, exitUnanswered, "other.org"},
		"no look":               {[]string{"--skipTLS"}, 0, "[OK]\t1"},
		"plaintext":             {[]string{"--insecure"}, exitUnanswered, "[Unavailable]"},
		"no such authorities":   {[]string{"--cacert", "/nowhere"}, exitUnanswered, "read authorities: open /nowhere"},
		"authorities of nobody": {[]string{"--cacert", os.DevNull}, exitUnanswered, "no certificate in"},
	} {
		t.Run(name, func(t *testing.T) {
			out, code := play(t, Ghz, append(tc.args, "-n", "1", "-c", "1", s.address)...)
			if code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			wantOutput(t, out, tc.want)
		})
	}
}

func TestGhzByManyConnections(t *testing.T) {
	s := openShop(t, noReflection)
	out, code := play(t, Ghz, "--insecure", "--connections", "3", "-n", "9", "-c", "3", s.address)
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	wantOutput(t, out, "[OK]\t9 responses")
}

func TestGhzRefuses(t *testing.T) {
	s := openShop(t, newReflection)
	bare := openShop(t, noReflection)
	place := []string{"--insecure", "--call", "shop.v1.Orders/Place"}
	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no address":          {[]string{"--insecure"}, exitUsage, "one address is needed, there are 0"},
		"no such flag":        {[]string{"--stream-interval", "1s", s.address}, exitUsage, "not defined: -stream-interval"},
		"JSON output":         {[]string{"-O", "json", s.address}, exitUsage, "only the summary is printed"},
		"no connections":      {[]string{"--connections", "0", s.address}, exitUsage, "at least one is needed"},
		"no workers":          {[]string{"-c", "0", s.address}, exitUsage, "at least one worker"},
		"metadata not JSON":   {[]string{"-m", "a: b", s.address}, exitUsage, "metadata is not a JSON object"},
		"no such data":        {[]string{"-D", "/nowhere", s.address}, exitUsage, "-D: open /nowhere"},
		"no such metadata":    {[]string{"-M", "/nowhere", s.address}, exitUsage, "-M: open /nowhere"},
		"nobody to ask":       {append(place, "127.0.0.1:1"), exitUnanswered, "connection refused"},
		"half of a method":    {[]string{"--insecure", "--call", "Place", s.address}, exitUnanswered, "not of the form package.Service/Method"},
		"no such service":     {[]string{"--insecure", "--call", "shop.v1.Carts/Place", s.address}, exitUnanswered, "reflection for shop.v1.Carts"},
		"no such method":      {[]string{"--insecure", "--call", "shop.v1.Orders/Take", s.address}, exitUnanswered, "service shop.v1.Orders has no method Take"},
		"a stream":            {[]string{"--insecure", "--call", "shop.v1.Orders/Watch", s.address}, exitUnanswered, "only unary methods"},
		"nothing described":   {append(place, bare.address), exitUnanswered, "-proto names a file instead"},
		"no such file":        {append(place, "--proto", "/nowhere.proto", bare.address), exitUnanswered, "-proto /nowhere.proto"},
		"no such field":       {append(place, "-d", `{"price": 1}`, s.address), exitUnanswered, `message is not a shop.v1.Order`},
		"an empty list":       {append(place, "-d", `[]`, s.address), exitUnanswered, "the list of messages is empty"},
		"half of a list":      {append(place, "-d", `[{}`, s.address), exitUnanswered, "messages are not JSON"},
		"nobody and no limit": {[]string{"--insecure", "-z", "100ms", "127.0.0.1:1"}, exitUnanswered, "no request was answered"},
		"a call for help":     {[]string{"-h"}, exitUsage, "-call"},
	} {
		t.Run(name, func(t *testing.T) {
			out, code := play(t, Ghz, tc.args...)
			if code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			wantOutput(t, out, tc.want)
		})
	}
}

func TestProbe(t *testing.T) {
	s := openShop(t, noReflection)
	s.health.SetServingStatus("down", healthpb.HealthCheckResponse_NOT_SERVING)
	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"healthy":            {[]string{"-addr=" + s.address, "-connect-timeout=1s", "-rpc-timeout=5s", "-v"}, 0, "status: SERVING\n"},
		"not healthy":        {[]string{"-addr", s.address, "-service", "down"}, probeUnhealthy, "status: NOT_SERVING\n"},
		"an unknown service": {[]string{"-addr", s.address, "-service", "other"}, probeNoAnswer, "unknown service"},
		"nobody listens":     {[]string{"-addr", "127.0.0.1:1"}, probeNoAnswer, "connection refused"},
		"TLS":                {[]string{"-addr", s.address, "-tls"}, probeNoAnswer, "health check of " + s.address},
		"no address":         {nil, probeUsage, "-addr is missing"},
		"an argument":        {[]string{"-addr", s.address, "x"}, probeUsage, `unexpected argument "x"`},
		"no such flag":       {[]string{"-address", s.address}, probeUsage, "not defined: -address"},
		"no such authority":  {[]string{"-addr", s.address, "-tls", "-tls-ca-cert", "/nowhere"}, probeUsage, "open /nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			out, code := play(t, Probe, tc.args...)
			if code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			wantOutput(t, out, tc.want)
		})
	}
}
