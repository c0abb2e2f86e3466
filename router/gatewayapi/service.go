package gatewayapi

import (
	"fmt"
	"slices"
	"time"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
)

// serviceFields of spec.service that an HTTPRoute can express. Retries are not among them: the
// standard HTTPRoute has none.
var serviceFields = []string{"gatewayRefs", "hosts", "match", "timeout", "backendTimeout", "headers", "rewrite", "corsPolicy", "mirror"}

func (n names) parentRefs() []gatewayv1.ParentReference {
	var refs []gatewayv1.ParentReference
	for _, g := range n.Service.GatewayRefs {
		group, kind := gatewayv1.Group(gatewayv1.GroupName), gatewayv1.Kind("Gateway")
		if g.Group != nil {
			group = gatewayv1.Group(*g.Group)
		}
		if g.Kind != "" {
			kind = gatewayv1.Kind(g.Kind)
		}
		ref := gatewayv1.ParentReference{Group: &group, Kind: &kind, Name: gatewayv1.ObjectName(g.Name), Port: g.Port}
		if g.Namespace != "" {
			ref.Namespace = new(gatewayv1.Namespace(g.Namespace))
		}
		if g.SectionName != "" {
			ref.SectionName = new(gatewayv1.SectionName(g.SectionName))
		}
		refs = append(refs, ref)
	}
	return refs
}

// hostnames that the route answers to. One that stands for all is none: a route without any answers
// to all that its listeners take.
func (n names) hostnames() []gatewayv1.Hostname {
	if slices.Contains(n.Service.Hosts, "*") {
		return nil
	}
	var hosts []gatewayv1.Hostname
	for _, h := range n.Service.Hosts {
		hosts = append(hosts, gatewayv1.Hostname(h))
	}
	return hosts
}

func (rt *route) timeouts() *gatewayv1.HTTPRouteTimeouts {
	t := gatewayv1.HTTPRouteTimeouts{}
	if rt.Service.Timeout != "" && rt.heeds("timeout") {
		t.Request = new(gatewayv1.Duration(rt.Service.Timeout))
	}
	if rt.Service.BackendTimeout != "" && rt.heeds("backendTimeout") {
		t.BackendRequest = new(gatewayv1.Duration(rt.Service.BackendTimeout))
	}
	if t == (gatewayv1.HTTPRouteTimeouts{}) {
		return nil
	}
	return &t
}

// filters of the rule, in the order in which they are applied.
func (rt *route) filters() ([]gatewayv1.HTTPRouteFilter, error) {
	var all []gatewayv1.HTTPRouteFilter
	if h := rt.Service.Headers; h != nil {
		if h.Request != nil {
			all = append(all, gatewayv1.HTTPRouteFilter{Type: gatewayv1.HTTPRouteFilterRequestHeaderModifier, RequestHeaderModifier: headerFilter(h.Request)})
		}
		if h.Response != nil {
			all = append(all, gatewayv1.HTTPRouteFilter{Type: gatewayv1.HTTPRouteFilterResponseHeaderModifier, ResponseHeaderModifier: headerFilter(h.Response)})
		}
	}
	if rw := rt.Service.Rewrite; rw != nil && (rw.URI != "" || rw.Authority != "") {
		all = append(all, gatewayv1.HTTPRouteFilter{Type: gatewayv1.HTTPRouteFilterURLRewrite, URLRewrite: rewrite(rw)})
	}
	if c := rt.Service.CorsPolicy; c != nil && rt.heeds("corsPolicy") {
		cors, err := corsFilter(c)
		if err != nil {
			return nil, err
		}
		all = append(all, gatewayv1.HTTPRouteFilter{Type: gatewayv1.HTTPRouteFilterCORS, CORS: cors})
	}
	for _, m := range rt.Service.Mirror {
		if !rt.heeds("mirror") {
			break
		}
		all = append(all, gatewayv1.HTTPRouteFilter{Type: gatewayv1.HTTPRouteFilterRequestMirror,
			RequestMirror: &gatewayv1.HTTPRequestMirrorFilter{BackendRef: backendRef(m.BackendRef)}})
	}
	return all, nil
}

func headerFilter(o *v1beta1.HeaderOperations) *gatewayv1.HTTPHeaderFilter {
	list := func(m map[string]string) []gatewayv1.HTTPHeader {
		var headers []gatewayv1.HTTPHeader
		for _, name := range sorted(m) {
			headers = append(headers, gatewayv1.HTTPHeader{Name: gatewayv1.HTTPHeaderName(name), Value: m[name]})
		}
		return headers
	}
	return &gatewayv1.HTTPHeaderFilter{Set: list(o.Set), Add: list(o.Add), Remove: o.Remove}
}

func rewrite(rw *v1beta1.HTTPRewrite) *gatewayv1.HTTPURLRewriteFilter {
	f := &gatewayv1.HTTPURLRewriteFilter{}
	if rw.Authority != "" {
		f.Hostname = new(gatewayv1.PreciseHostname(rw.Authority))
	}
	switch {
	case rw.URI == "":
	case rw.Type == string(gatewayv1.PrefixMatchHTTPPathModifier):
		f.Path = &gatewayv1.HTTPPathModifier{Type: gatewayv1.PrefixMatchHTTPPathModifier, ReplacePrefixMatch: &rw.URI}
	default:
		f.Path = &gatewayv1.HTTPPathModifier{Type: gatewayv1.FullPathHTTPPathModifier, ReplaceFullPath: &rw.URI}
	}
	return f
}

func backendRef(b v1beta1.BackendReference) gatewayv1.BackendObjectReference {
	kind := b.Kind
	if kind == "" {
		kind = "Service"
	}
	ref := gatewayv1.BackendObjectReference{Group: new(gatewayv1.Group(b.Group)), Kind: new(gatewayv1.Kind(kind)), Name: gatewayv1.ObjectName(b.Name), Port: b.Port}
	if b.Namespace != "" {
		ref.Namespace = new(gatewayv1.Namespace(b.Namespace))
	}
	return ref
}

// corsFilter takes whole origins only: an HTTPRoute knows no patterns.
func corsFilter(c *v1beta1.CorsPolicy) (*gatewayv1.HTTPCORSFilter, error) {
	f := &gatewayv1.HTTPCORSFilter{AllowCredentials: c.AllowCredentials}
	for _, o := range c.AllowOrigin {
		f.AllowOrigins = append(f.AllowOrigins, gatewayv1.CORSOrigin(o))
	}
	for _, o := range c.AllowOrigins {
		if o.Exact == "" {
			return nil, inexpressible("spec.service.corsPolicy.allowOrigins has an origin that is not exact")
		}
		f.AllowOrigins = append(f.AllowOrigins, gatewayv1.CORSOrigin(o.Exact))
	}
	for _, m := range c.AllowMethods {
		f.AllowMethods = append(f.AllowMethods, gatewayv1.HTTPMethodWithWildcard(m))
	}
	for _, h := range c.AllowHeaders {
		f.AllowHeaders = append(f.AllowHeaders, gatewayv1.HTTPHeaderName(h))
	}
	for _, h := range c.ExposeHeaders {
		f.ExposeHeaders = append(f.ExposeHeaders, gatewayv1.HTTPHeaderName(h))
	}
	if c.MaxAge != "" {
		d, err := time.ParseDuration(c.MaxAge)
		if err != nil || d < time.Second {
			return nil, inexpressible(fmt.Sprintf("spec.service.corsPolicy.maxAge %q is no duration of a second or more, such as 24h", c.MaxAge))
		}
		f.MaxAge = int32(d / time.Second)
	}
	return f, nil
}

// inexpressible is the refusal of something that an HTTPRoute has no words for.
func inexpressible(what string) error {
	return &router.NotReady{Problem: router.Problem{
		Reason:  "NotExpressible",
		Message: what + ", which an HTTPRoute cannot express: change or remove it",
	}}
}
