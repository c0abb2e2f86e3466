// Package api holds the few types of Gloo's API that Serin writes, field for field as Gloo's CRDs
// have them. It is no client and not the whole API: what users put on the same objects is read and
// kept as it is, so live objects are never decoded into these types.
package api

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The kinds that Serin reads, two of which it writes. None has a status subresource.
var (
	RouteTable     = schema.GroupVersionKind{Group: "gateway.solo.io", Version: "v1", Kind: "RouteTable"}
	VirtualService = schema.GroupVersionKind{Group: "gateway.solo.io", Version: "v1", Kind: "VirtualService"}
	Upstream       = schema.GroupVersionKind{Group: "gloo.solo.io", Version: "v1", Kind: "Upstream"}
)

// ResourceRef names a Gloo object.
type ResourceRef struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

// RouteTableSpec is a list of routes, the first that matches answers.
type RouteTableSpec struct {
	Routes []Route `json:"routes"`
}

// Route has the action for the requests that it matches. Without matchers it takes those of the
// route that delegates to its table, when InheritablePathMatchers is set.
type Route struct {
	InheritablePathMatchers bool        `json:"inheritablePathMatchers,omitempty"`
	RouteAction             RouteAction `json:"routeAction"`
}

// RouteAction is one of its fields.
type RouteAction struct {
	Single *Destination      `json:"single,omitempty"`
	Multi  *MultiDestination `json:"multi,omitempty"`
}

// MultiDestination shares requests by weight. A total of 0 is an error in Gloo.
type MultiDestination struct {
	Destinations []WeightedDestination `json:"destinations"`
}

// WeightedDestination is one share. Its weight is sent also when it is 0: without one, a later
// change by another tool that merges lists could not be told from a repair.
type WeightedDestination struct {
	Destination Destination `json:"destination"`
	Weight      int64       `json:"weight"`
}

// Destination is one of its fields.
type Destination struct {
	Upstream *ResourceRef           `json:"upstream,omitempty"`
	Kube     *KubernetesDestination `json:"kube,omitempty"`
}

// KubernetesDestination is a port of a Service.
type KubernetesDestination struct {
	Ref  ResourceRef `json:"ref"`
	Port int64       `json:"port"`
}

// UpstreamSpec is a Service as Envoy's cluster. Its connection settings are copied from the Upstream
// that spec.upstreamRef names, unread.
type UpstreamSpec struct {
	Kube KubeUpstream `json:"kube"`
}

// KubeUpstream has no selector here on purpose: without one Gloo takes all endpoints of the Service,
// with one it also compares each pod's labels with a copy that can be out of date.
type KubeUpstream struct {
	ServiceName      string `json:"serviceName"`
	ServiceNamespace string `json:"serviceNamespace"`
	ServicePort      int64  `json:"servicePort"`
}

// Followed are the fields of an Upstream's spec that spec.upstreamRef makes the two sides copy.
var Followed = []string{
	"sslConfig",
	"circuitBreakers",
	"connectionConfig",
	"loadBalancerConfig",
	"useHttp2",
	"initialStreamWindowSize",
	"initialConnectionWindowSize",
	"httpProxyHostname",
}

// New returns an empty object of a kind, to read into.
func New(kind schema.GroupVersionKind) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(kind)
	return u
}

// NewList returns an empty list of a kind, to read into.
func NewList(kind schema.GroupVersionKind) *unstructured.UnstructuredList {
	l := &unstructured.UnstructuredList{}
	l.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
	return l
}

// Make returns a new object with this metadata and spec.
func Make(kind schema.GroupVersionKind, meta metav1.ObjectMeta, spec any) (*unstructured.Unstructured, error) {
	content, err := Content(spec)
	if err != nil {
		return nil, err
	}
	u := New(kind)
	u.SetNamespace(meta.Namespace)
	u.SetName(meta.Name)
	u.SetLabels(meta.Labels)
	u.SetAnnotations(meta.Annotations)
	u.Object["spec"] = content
	return u, nil
}

// Content returns a pointer to one of this package's types as unstructured content.
func Content(v any) (map[string]any, error) {
	return runtime.DefaultUnstructuredConverter.ToUnstructured(v)
}
