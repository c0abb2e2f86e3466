package translate

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/serin-dev/serin/e2e/gateway/gloo"
)

// host is a VirtualService with all delegation followed.
type host struct {
	ref     gloo.Ref
	domains []string
	options gloo.VirtualHostOptions
	routes  []gloo.Route
}

// name is the name of Envoy's virtual host. Gloo replaces the dot.
func (h *host) name() string { return h.ref.Namespace + "_" + h.ref.Name }

// flattener follows delegation from VirtualServices through RouteTables.
type flattener struct {
	world   World
	reports reports
}

func newFlattener(w World, r reports) *flattener { return &flattener{world: w, reports: r} }

// hosts flattens all VirtualServices that have something to serve.
func (f *flattener) hosts() map[gloo.Ref]*host {
	hosts := map[gloo.Ref]*host{}
	for _, rt := range f.world.RouteTables {
		if why := f.refusal(rt); why != "" {
			f.reports.of(rt.ID()).fail("%s", why)
		}
	}
	for _, vs := range f.world.VirtualServices {
		verdict := f.reports.of(vs.ID())
		switch {
		case vs.Err != nil:
			verdict.fail("%v", vs.Err)
		case vs.Spec.VirtualHost == nil:
			verdict.warn("virtual service [%s] does not specify a virtual host", vs.Ref())
		default:
			hosts[vs.Ref()] = f.host(vs)
		}
	}
	f.checkDomains(hosts)
	return hosts
}

func (f *flattener) refusal(rt *gloo.RouteTable) string {
	if rt.Err != nil {
		return rt.Err.Error()
	}
	return f.world.Refusal
}

func (f *flattener) host(vs *gloo.VirtualService) *host {
	b := &branch{flattener: f, top: f.reports.of(vs.ID()), report: f.reports.of(vs.ID()), namespace: vs.Namespace}
	for _, o := range vs.Spec.VirtualHost.Options.Unknown {
		b.warn("%s", notHonoured("virtualHost.options."+o))
	}
	h := &host{
		ref:     vs.Ref(),
		domains: vs.Spec.VirtualHost.Domains,
		options: vs.Spec.VirtualHost.Options,
		routes:  b.visit(vs.Spec.VirtualHost.Routes, fmt.Sprintf("vs:gateway-proxy_gateway-proxy_%s_%s", vs.Namespace, vs.Name)),
	}
	for _, r := range h.routes {
		checkExpressions(r, vs.Ref(), b.top)
	}
	return h
}

// checkDomains refuses VirtualServices that claim the same domain, all of them.
func (f *flattener) checkDomains(hosts map[gloo.Ref]*host) {
	owners := map[string][]gloo.Ref{}
	for _, vs := range f.world.VirtualServices {
		if h := hosts[vs.Ref()]; h != nil {
			for _, d := range h.envoyDomains() {
				owners[d] = append(owners[d], h.ref)
			}
		}
	}
	for _, vs := range f.world.VirtualServices {
		h := hosts[vs.Ref()]
		if h == nil {
			continue
		}
		for _, d := range h.envoyDomains() {
			others := slices.DeleteFunc(slices.Clone(owners[d]), func(r gloo.Ref) bool { return r == h.ref })
			if len(others) > 0 {
				f.reports.of(vs.ID()).fail("domain conflict: the [%s] domain is present in other virtual services "+
					"that belong to the same Gateway as this one: %v", d, others)
			}
		}
	}
}

// envoyDomains is never empty: no domain means every domain.
func (h *host) envoyDomains() []string {
	if len(h.domains) == 0 {
		return []string{"*"}
	}
	return h.domains
}

// checkExpressions finds what Envoy would refuse, and with it the whole
// configuration. Go's expressions are Envoy's, both being RE2.
func checkExpressions(r gloo.Route, vs gloo.Ref, verdict *report) {
	var expressions []string
	for _, m := range r.Matchers {
		expressions = append(expressions, m.Regex, strings.Join(m.Methods, "|"))
		for _, v := range slices.Concat(m.Headers, m.QueryParameters) {
			if v.Regex {
				expressions = append(expressions, v.Value)
			}
		}
	}
	for _, e := range expressions {
		if _, err := regexp.Compile(e); err != nil {
			verdict.fail("virtual service [%s] has a regex matcher with invalid regex, %v", vs, err)
		}
	}
}

func notHonoured(option string) string {
	return fmt.Sprintf("%s is not honoured by this stand-in control plane", option)
}
