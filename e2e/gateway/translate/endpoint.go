package translate

import (
	"cmp"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/serin-dev/serin/e2e/gateway/gloo"
)

type address struct {
	host string
	port uint32
}

// backends finds the addresses behind Services.
type backends struct {
	services map[gloo.Ref]*corev1.Service
	slices   map[gloo.Ref][]*discoveryv1.EndpointSlice
	pods     map[gloo.Ref]map[string]string
}

func newBackends(w World) *backends {
	b := &backends{
		services: map[gloo.Ref]*corev1.Service{},
		slices:   map[gloo.Ref][]*discoveryv1.EndpointSlice{},
		pods:     w.PodLabels,
	}
	for _, svc := range w.Services {
		b.services[gloo.Ref{Name: svc.Name, Namespace: svc.Namespace}] = svc
	}
	for _, s := range w.Slices {
		owner := gloo.Ref{Name: s.Labels[discoveryv1.LabelServiceName], Namespace: s.Namespace}
		b.slices[owner] = append(b.slices[owner], s)
	}
	return b
}

func (b *backends) exists(k gloo.KubeUpstream) bool { return b.services[serviceRef(k)] != nil }

func serviceRef(k gloo.KubeUpstream) gloo.Ref {
	return gloo.Ref{Name: k.ServiceName, Namespace: k.ServiceNamespace}
}

// of lists the addresses that an Upstream may send to: ready, not terminating,
// and with the labels that the Upstream asks for.
func (b *backends) of(k gloo.KubeUpstream) []address {
	svc := b.services[serviceRef(k)]
	if svc == nil {
		return nil
	}
	i := slices.IndexFunc(svc.Spec.Ports, func(p corev1.ServicePort) bool { return int64(p.Port) == int64(k.ServicePort) })
	if i < 0 {
		return nil
	}
	var found []address
	for _, s := range b.slices[serviceRef(k)] {
		port, ok := slicePort(s, svc.Spec.Ports[i].Name)
		if !ok || s.AddressType == discoveryv1.AddressTypeFQDN {
			continue
		}
		for _, e := range s.Endpoints {
			if serves(e) && b.selected(k.Selector, s.Namespace, e) {
				for _, a := range e.Addresses {
					found = append(found, address{a, port})
				}
			}
		}
	}
	slices.SortFunc(found, func(a, b address) int {
		return cmp.Or(cmp.Compare(a.host, b.host), cmp.Compare(a.port, b.port))
	})
	return slices.Compact(found)
}

// slicePort follows the Service's target port: a slice carries its number
// under the name of the Service's port.
func slicePort(s *discoveryv1.EndpointSlice, name string) (uint32, bool) {
	for _, p := range s.Ports {
		if p.Port != nil && (p.Name == nil && name == "" || p.Name != nil && *p.Name == name) {
			return uint32(*p.Port), true
		}
	}
	return 0, false
}

func serves(e discoveryv1.Endpoint) bool {
	ready := e.Conditions.Ready == nil || *e.Conditions.Ready
	terminating := e.Conditions.Terminating != nil && *e.Conditions.Terminating
	return ready && !terminating
}

func (b *backends) selected(selector map[string]string, namespace string, e discoveryv1.Endpoint) bool {
	if len(selector) == 0 {
		return true
	}
	if e.TargetRef == nil || e.TargetRef.Kind != "Pod" {
		return false
	}
	pod := gloo.Ref{Name: e.TargetRef.Name, Namespace: cmp.Or(e.TargetRef.Namespace, namespace)}
	podLabels, ok := b.pods[pod]
	return ok && labels.SelectorFromSet(selector).Matches(labels.Set(podLabels))
}

func assignment(cluster string, addresses []address) *endpointv3.ClusterLoadAssignment {
	locality := &endpointv3.LocalityLbEndpoints{}
	for _, a := range addresses {
		locality.LbEndpoints = append(locality.LbEndpoints, &endpointv3.LbEndpoint{
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: socket(a.host, a.port)}},
		})
	}
	return &endpointv3.ClusterLoadAssignment{
		ClusterName: cluster,
		Endpoints:   []*endpointv3.LocalityLbEndpoints{locality},
	}
}

func socket(host string, port uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address:       host,
		PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}
