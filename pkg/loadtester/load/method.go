package load

import (
	"context"
	"fmt"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/jhump/protoreflect/grpcreflect"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/health/grpc_health_v1" // so that its service is known to the registry
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// methodSource says which method is called, and where it is described.
type methodSource struct {
	call        string
	protoFile   string
	importPaths string
}

// find returns the method's description. The health check is known without any: manifests name a
// file for it that an image of another load tester has.
func (m methodSource) find(ctx context.Context, conn *grpc.ClientConn) (protoreflect.MethodDescriptor, error) {
	service, name, ok := strings.Cut(m.call, "/")
	if dot := strings.LastIndex(m.call, "."); !ok && dot > 0 {
		service, name, ok = m.call[:dot], m.call[dot+1:], true
	}
	if !ok {
		return nil, fmt.Errorf("-call %q is not of the form package.Service/Method", m.call)
	}
	described, err := m.service(ctx, conn, protoreflect.FullName(service))
	if err != nil {
		return nil, err
	}
	method := described.Methods().ByName(protoreflect.Name(name))
	if method == nil {
		return nil, fmt.Errorf("service %s has no method %s", service, name)
	}
	if method.IsStreamingClient() || method.IsStreamingServer() {
		return nil, fmt.Errorf("%s is a stream: only unary methods can be called", m.call)
	}
	return method, nil
}

func (m methodSource) service(ctx context.Context, conn *grpc.ClientConn, name protoreflect.FullName) (protoreflect.ServiceDescriptor, error) {
	if known, err := protoregistry.GlobalFiles.FindDescriptorByName(name); err == nil {
		if service, ok := known.(protoreflect.ServiceDescriptor); ok {
			return service, nil
		}
	}
	if m.protoFile != "" {
		return m.compile(ctx, name)
	}
	client := grpcreflect.NewClientAuto(ctx, conn)
	defer client.Reset()
	service, err := client.ResolveService(string(name))
	if err != nil {
		return nil, fmt.Errorf("ask the server's reflection for %s: %w; -proto names a file instead", name, err)
	}
	return service.UnwrapService(), nil
}

func (m methodSource) compile(ctx context.Context, name protoreflect.FullName) (protoreflect.ServiceDescriptor, error) {
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{
		ImportPaths: strings.FieldsFunc(m.importPaths, func(r rune) bool { return r == ',' }),
	})}
	files, err := compiler.Compile(ctx, m.protoFile)
	if err != nil {
		return nil, fmt.Errorf("-proto %s: %w", m.protoFile, err)
	}
	service := files[0].Services().ByName(name.Name())
	if service == nil || service.FullName() != name {
		return nil, fmt.Errorf("no service %s in %s", name, m.protoFile)
	}
	return service, nil
}
