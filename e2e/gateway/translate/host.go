package translate

import (
	"fmt"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/serin-dev/serin/e2e/gateway/gloo"
)

// routing writes Envoy's routes for flattened hosts.
type routing struct{ clusters *clusters }

// configuration joins what is served into the one route configuration, and
// collects the verdict on the proxy from what is really served.
func (g *routing) configuration(s Settings, order []*gloo.VirtualService, serving Hosts, proxy *report) *routev3.RouteConfiguration {
	cfg := &routev3.RouteConfiguration{Name: routesName(s)}
	for _, vs := range order {
		if h := serving[vs.Ref()]; h != nil {
			cfg.VirtualHosts = append(cfg.VirtualHosts, g.host(h, proxy))
		}
	}
	return cfg
}

func (g *routing) host(h *host, verdict *report) *routev3.VirtualHost {
	out := &routev3.VirtualHost{Name: h.name(), Domains: h.envoyDomains()}
	headers, err := headerChanges(h.options.HeaderManipulation)
	if err != nil {
		verdict.fail("VirtualHost Error: ProcessingError. Reason: %v", err)
	}
	out.RequestHeadersToAdd, out.RequestHeadersToRemove = headers.requestAdd, headers.requestRemove
	out.ResponseHeadersToAdd, out.ResponseHeadersToRemove = headers.responseAdd, headers.responseRemove
	out.RetryPolicy = retryPolicy(h.options.Retries)
	for i, r := range h.routes {
		base := fmt.Sprintf("%s-route-%d", h.name(), i)
		if r.Name != "" {
			base += "-" + r.Name
		}
		for j, m := range r.Matchers {
			name := fmt.Sprintf("%s-matcher-%d", base, j)
			out.Routes = append(out.Routes, g.route(name, r, m, verdict))
		}
	}
	return out
}

func (g *routing) route(name string, r gloo.Route, m gloo.Matcher, verdict *report) *routev3.Route {
	fail := func(err error) {
		verdict.fail("Route Error: ProcessingError. Reason: %v. Route Name: %s", err, name)
	}
	out := &routev3.Route{Name: name, Match: match(m)}
	if !m.HasPath() {
		verdict.fail("Route Error: InvalidMatcherError. Reason: no path specifier provided. Route Name: %s", name)
	}
	if d := r.DirectResponseAction; d != nil {
		out.Action = directResponse(d)
	} else {
		action, err := g.action(r, verdict)
		if err != nil {
			fail(err)
		}
		out.Action = &routev3.Route_Route{Route: action}
	}
	headers, err := headerChanges(r.Options.HeaderManipulation)
	if err != nil {
		fail(err)
	}
	out.RequestHeadersToAdd, out.RequestHeadersToRemove = headers.requestAdd, headers.requestRemove
	out.ResponseHeadersToAdd, out.ResponseHeadersToRemove = headers.responseAdd, headers.responseRemove
	return out
}

func directResponse(d *gloo.DirectResponse) *routev3.Route_DirectResponse {
	out := &routev3.DirectResponseAction{Status: d.Status}
	if d.Body != "" {
		out.Body = &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: d.Body}}
	}
	return &routev3.Route_DirectResponse{DirectResponse: out}
}
