package translate

import (
	"net/netip"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	upstreamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	corev1 "k8s.io/api/core/v1"

	"github.com/serin-dev/serin/e2e/gateway/gloo"
)

const connectTimeout = 5 * time.Second

// clusterName is the name in Envoy's statistics that queries rely on.
func clusterName(ref gloo.Ref) string {
	if ref.Namespace == "" {
		return ref.Name
	}
	return ref.Name + "_" + ref.Namespace
}

// clusters are all the places that a route may name.
type clusters struct {
	clusters  []*clusterv3.Cluster
	endpoints []*endpointv3.ClusterLoadAssignment
	reports   reports
	// known holds every Upstream there is, also one without a cluster.
	known map[gloo.Ref]bool
}

// newClusters makes a cluster for every Upstream and, like Gloo, for every TCP
// port of every Service. That a cluster is there before a route first names it
// spares requests: Envoy refuses them while it warms a new one.
func newClusters(w World) *clusters {
	c := &clusters{reports: reports{}, known: map[gloo.Ref]bool{}}
	backends := newBackends(w)
	for _, us := range w.Upstreams {
		c.known[us.Ref()] = true
		c.upstream(us, backends)
	}
	for _, svc := range w.Services {
		for _, port := range svc.Spec.Ports {
			if port.Protocol != corev1.ProtocolTCP && port.Protocol != "" {
				continue
			}
			number := uint32(port.Port)
			ref := gloo.ServiceUpstream(gloo.Ref{Name: svc.Name, Namespace: svc.Namespace}, number)
			c.known[ref] = true
			c.discovered(newCluster(ref), backends.of(gloo.KubeUpstream{
				ServiceName: svc.Name, ServiceNamespace: svc.Namespace, ServicePort: number,
			}))
		}
	}
	return c
}

func (c *clusters) upstream(us *gloo.Upstream, b *backends) {
	verdict := c.reports.of(us.ID())
	if us.Err != nil {
		verdict.fail("%v", us.Err)
		return
	}
	for _, field := range us.Spec.Unknown {
		verdict.warn("%s", notHonoured(field))
	}
	out := newCluster(us.Ref())
	if us.Spec.UseHTTP2 {
		out.TypedExtensionProtocolOptions = http2()
	}
	switch k := us.Spec.Kube; {
	case k != nil && !b.exists(*k):
		// Gloo turns this error into a warning and drops the cluster.
		verdict.warn("%s", listErrors([]string{"Upstream name:\"" + us.Name + "\" namespace:\"" + us.Namespace +
			"\" references the service '" + k.ServiceName + "' which does not exist in namespace '" + k.ServiceNamespace + "'"}))
	case k != nil:
		c.discovered(out, b.of(*k))
	case us.Spec.Static != nil:
		c.clusters = append(c.clusters, static(out, us.Spec.Static))
	default:
		verdict.fail("no upstream type that this stand-in control plane honours: kube or static")
	}
}

func newCluster(ref gloo.Ref) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:           clusterName(ref),
		ConnectTimeout: durationpb.New(connectTimeout),
		// A removed endpoint leaves at once and its connections drain: the
		// requests under way are answered.
		IgnoreHealthOnHostRemoval: true,
		CommonLbConfig:            &clusterv3.Cluster_CommonLbConfig{CloseConnectionsOnHostSetChange: false},
	}
}

// discovered adds a cluster that follows a Service.
func (c *clusters) discovered(out *clusterv3.Cluster, addresses []address) {
	out.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}
	out.EdsClusterConfig = &clusterv3.Cluster_EdsClusterConfig{EdsConfig: overADS()}
	c.clusters = append(c.clusters, out)
	c.endpoints = append(c.endpoints, assignment(out.Name, addresses))
}

func static(out *clusterv3.Cluster, s *gloo.StaticUpstream) *clusterv3.Cluster {
	kind := clusterv3.Cluster_STATIC
	var addresses []address
	for _, h := range s.Hosts {
		if _, err := netip.ParseAddr(h.Addr); err != nil {
			kind = clusterv3.Cluster_STRICT_DNS
		}
		addresses = append(addresses, address{h.Addr, h.Port})
	}
	out.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: kind}
	out.LoadAssignment = assignment(out.Name, addresses)
	return out
}

func overADS() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ResourceApiVersion:    corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
	}
}

func http2() map[string]*anypb.Any {
	options := &upstreamv3.HttpProtocolOptions{
		UpstreamProtocolOptions: &upstreamv3.HttpProtocolOptions_ExplicitHttpConfig_{
			ExplicitHttpConfig: &upstreamv3.HttpProtocolOptions_ExplicitHttpConfig{
				ProtocolConfig: &upstreamv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{
					Http2ProtocolOptions: &corev3.Http2ProtocolOptions{},
				},
			},
		},
	}
	return map[string]*anypb.Any{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": packed(options)}
}

// packed wraps a message of our own making. It marshals deterministically, so
// that equal configurations have equal versions.
func packed(m proto.Message) *anypb.Any {
	out := &anypb.Any{}
	if err := anypb.MarshalFrom(out, m, proto.MarshalOptions{Deterministic: true}); err != nil {
		panic(err) // only a message with invalid text fails, and these hold constants
	}
	return out
}
