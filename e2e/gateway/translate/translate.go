// Package translate turns Gloo's objects and the endpoints of Services into
// the configuration of Envoy and the statuses that Gloo would write. It is
// pure: the same World gives the same Result, byte for byte.
//
// It follows Gloo 1.22 where a client could tell the difference: names of
// clusters, which object carries which verdict, the words of a verdict, and
// that a VirtualService with an error keeps serving its last good routes.
package translate

import (
	"cmp"
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/serin-dev/serin/e2e/gateway/gloo"
)

// World is all that a translation depends on.
type World struct {
	VirtualServices []*gloo.VirtualService
	RouteTables     []*gloo.RouteTable
	Upstreams       []*gloo.Upstream
	Services        []*corev1.Service
	Slices          []*discoveryv1.EndpointSlice
	// PodLabels serves the selector of an Upstream, which is matched against
	// the pods behind a Service.
	PodLabels map[gloo.Ref]map[string]string
	// Refusal, where set, is the error with which every RouteTable is refused.
	Refusal string
	// Kept holds what the previous translation served.
	Kept Hosts
}

// Settings are the same for every translation of one gateway.
type Settings struct {
	// Namespace is where the control plane runs; statuses are kept under it.
	Namespace string
	// Address and Port are where Envoy listens for requests.
	Address string
	Port    uint32
}

// Result is what Envoy is told and what users are told.
type Result struct {
	Listener  *listenerv3.Listener
	Routes    *routev3.RouteConfiguration
	Clusters  []*clusterv3.Cluster
	Endpoints []*endpointv3.ClusterLoadAssignment
	Statuses  map[gloo.ID]Status
	// Serving goes into the next World as Kept.
	Serving Hosts
}

// Hosts are the virtual hosts that are served, by the VirtualService they are
// made from.
type Hosts map[gloo.Ref]*host

// Translate computes the Result for a World.
func Translate(w World, s Settings) Result {
	w = sorted(w)
	clusters := newClusters(w)
	reports := reports{}
	translated := newFlattener(w, reports).hosts()
	routing := &routing{clusters: clusters}

	serving := Hosts{}
	for _, vs := range w.VirtualServices {
		h := translated[vs.Ref()]
		verdict := &report{}
		if h != nil {
			routing.host(h, verdict)
		}
		reports.of(vs.ID()).merge(verdict)
		// As in Gloo, an error anywhere below a VirtualService withdraws all
		// of it, and what it served before stays.
		if reports.of(vs.ID()).refused() {
			h = w.Kept[vs.Ref()]
		}
		if h != nil {
			serving[vs.Ref()] = h
		}
	}

	proxy := &report{}
	routes := routing.configuration(s, w.VirtualServices, serving, proxy)
	return Result{
		Listener:  listener(s),
		Routes:    routes,
		Clusters:  clusters.clusters,
		Endpoints: clusters.endpoints,
		Statuses:  statuses(w, s, reports, clusters.reports, proxy),
		Serving:   serving,
	}
}

// sorted fixes the order of all lists: which of two equals comes first must
// not depend on the order in which a cache lists them.
func sorted(w World) World {
	w.VirtualServices = byRef(w.VirtualServices)
	w.RouteTables = byRef(w.RouteTables)
	w.Upstreams = byRef(w.Upstreams)
	w.Services = byName(w.Services)
	w.Slices = byName(w.Slices)
	return w
}

func byRef[T interface{ Ref() gloo.Ref }](list []T) []T {
	return slices.SortedFunc(slices.Values(list), func(a, b T) int {
		return compareRefs(a.Ref(), b.Ref())
	})
}

func byName[T interface {
	GetNamespace() string
	GetName() string
}](list []T) []T {
	return slices.SortedFunc(slices.Values(list), func(a, b T) int {
		return cmp.Or(cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
	})
}

func compareRefs(a, b gloo.Ref) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}
