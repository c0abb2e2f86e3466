// Package gloo holds the few Gloo kinds that the stand-in control plane reads,
// field for field as Gloo's own CRDs name them, and nothing that Gloo would
// not read: a field that is missing here is reported, never guessed.
package gloo

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The kinds, as Gloo serves them.
var (
	VirtualServiceKind = schema.GroupVersionKind{Group: "gateway.solo.io", Version: "v1", Kind: "VirtualService"}
	RouteTableKind     = schema.GroupVersionKind{Group: "gateway.solo.io", Version: "v1", Kind: "RouteTable"}
	UpstreamKind       = schema.GroupVersionKind{Group: "gloo.solo.io", Version: "v1", Kind: "Upstream"}
)

// Ref names an object of a kind that the context tells.
type Ref struct {
	Name      string `json:"name,omitempty"`
	Namespace string `json:"namespace,omitempty"`
}

// String prints a Ref as Gloo's messages do: namespace first, with a dot.
func (r Ref) String() string { return r.Namespace + "." + r.Name }

// ID names an object among all kinds.
type ID struct {
	Kind schema.GroupVersionKind
	Ref
}

// Object is what every kind carries beside its spec. Err says why the spec
// could not be read; such an object is reported as Rejected.
type Object struct {
	metav1.ObjectMeta `json:"metadata"`
	Err               error `json:"-"`
}

// Ref names the object within its kind.
func (o *Object) Ref() Ref { return Ref{Name: o.Name, Namespace: o.Namespace} }

// VirtualService binds domains to routes.
type VirtualService struct {
	Object `json:",inline"`
	Spec   struct {
		VirtualHost *VirtualHost `json:"virtualHost"`
	} `json:"spec"`
}

// ID names the VirtualService among all kinds.
func (v *VirtualService) ID() ID { return ID{VirtualServiceKind, v.Ref()} }

// VirtualHost is the part of a VirtualService that is served.
type VirtualHost struct {
	Domains []string           `json:"domains"`
	Routes  []Route            `json:"routes"`
	Options VirtualHostOptions `json:"options"`
}

// RouteTable is a list of routes that a VirtualService or another RouteTable
// delegates to.
type RouteTable struct {
	Object `json:",inline"`
	Spec   struct {
		Routes []Route `json:"routes"`
		// Weight orders the tables that one selector finds: lower first.
		Weight int32 `json:"weight"`
	} `json:"spec"`
}

// ID names the RouteTable among all kinds.
func (t *RouteTable) ID() ID { return ID{RouteTableKind, t.Ref()} }

// Route is one entry of a VirtualService or RouteTable.
type Route struct {
	Name                    string          `json:"name"`
	Matchers                []Matcher       `json:"matchers"`
	InheritableMatchers     *bool           `json:"inheritableMatchers"`
	InheritablePathMatchers *bool           `json:"inheritablePathMatchers"`
	RouteAction             *RouteAction    `json:"routeAction"`
	DelegateAction          *DelegateAction `json:"delegateAction"`
	DirectResponseAction    *DirectResponse `json:"directResponseAction"`
	Options                 RouteOptions    `json:"options"`
}

// Matcher says which requests a route takes. At most one of the three paths is
// set.
type Matcher struct {
	Prefix          string       `json:"prefix"`
	Exact           string       `json:"exact"`
	Regex           string       `json:"regex"`
	CaseSensitive   *bool        `json:"caseSensitive"`
	Headers         []ValueMatch `json:"headers"`
	QueryParameters []ValueMatch `json:"queryParameters"`
	Methods         []string     `json:"methods"`
}

// HasPath reports whether the matcher names a path at all.
func (m Matcher) HasPath() bool { return m.Path() != "" }

// Path is the path of whichever sort is set.
func (m Matcher) Path() string {
	switch {
	case m.Exact != "":
		return m.Exact
	case m.Regex != "":
		return m.Regex
	default:
		return m.Prefix
	}
}

// ValueMatch matches a header or a query parameter. An empty value matches any.
type ValueMatch struct {
	Name        string `json:"name"`
	Value       string `json:"value"`
	Regex       bool   `json:"regex"`
	InvertMatch bool   `json:"invertMatch"`
}

// DelegateAction hands a route over to RouteTables, by name or by selector.
type DelegateAction struct {
	// Name and Namespace are the older spelling of Ref and win over it.
	Name      string    `json:"name"`
	Namespace string    `json:"namespace"`
	Ref       *Ref      `json:"ref"`
	Selector  *Selector `json:"selector"`
}

// Target is the RouteTable that is named, in the newer or the older spelling.
func (d *DelegateAction) Target() *Ref {
	if d.Name != "" || d.Namespace != "" {
		return &Ref{Name: d.Name, Namespace: d.Namespace}
	}
	return d.Ref
}

// Selector finds RouteTables by their labels. No namespaces means the
// namespace of the delegating object, "*" means all.
type Selector struct {
	Namespaces []string          `json:"namespaces"`
	Labels     map[string]string `json:"labels"`
}

// RouteAction sends requests to one destination or to several by weight.
type RouteAction struct {
	Single *Destination `json:"single"`
	Multi  *struct {
		Destinations []WeightedDestination `json:"destinations"`
	} `json:"multi"`
}

// WeightedDestination is a destination with its share.
type WeightedDestination struct {
	Destination Destination        `json:"destination"`
	Weight      uint32             `json:"weight"`
	Options     DestinationOptions `json:"options"`
}

// Destination is an Upstream, or a Service without one.
type Destination struct {
	Upstream *Ref                `json:"upstream"`
	Kube     *ServiceDestination `json:"kube"`
}

// ServiceDestination names one port of a Service.
type ServiceDestination struct {
	Ref  Ref    `json:"ref"`
	Port uint32 `json:"port"`
}

// UpstreamRef is the Upstream that stands for the destination. For a Service
// Gloo keeps one in memory, under a name no stored object can have.
func (d Destination) UpstreamRef() (Ref, bool) {
	switch {
	case d.Upstream != nil:
		return *d.Upstream, true
	case d.Kube != nil:
		return ServiceUpstream(d.Kube.Ref, d.Kube.Port), true
	default:
		return Ref{}, false
	}
}

// ServiceUpstream names the Upstream that Gloo keeps in memory for a port of a
// Service.
func ServiceUpstream(service Ref, port uint32) Ref {
	return Ref{
		Name:      fmt.Sprintf("kube-svc:%s-%s-%d", service.Namespace, service.Name, port),
		Namespace: service.Namespace,
	}
}

// DirectResponse answers without any upstream.
type DirectResponse struct {
	Status uint32 `json:"status"`
	Body   string `json:"body"`
}
