package translate_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/serin-dev/serin/e2e/gateway/gatewaytest"
	"github.com/serin-dev/serin/e2e/gateway/gloo"
	"github.com/serin-dev/serin/e2e/gateway/translate"
)

const virtualService = `
apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {name: vs, namespace: test}
spec: {virtualHost: {domains: [a.example.com], routes: [{matchers: [{prefix: /}], delegateAction: {ref: {name: rt, namespace: test}}}]}}
`

const upstream = `
---
apiVersion: gloo.solo.io/v1
kind: Upstream
metadata: {name: up, namespace: test}
spec: {static: {hosts: [{addr: 10.0.0.1, port: 80}]}}
`

// table is the RouteTable that virtualService delegates to.
func table(routes string) string {
	return fmt.Sprintf(`
---
apiVersion: gateway.solo.io/v1
kind: RouteTable
metadata: {name: rt, namespace: test}
spec: {routes: [%s]}
`, routes)
}

func weights(primary, canary int) string {
	return table(fmt.Sprintf(`{routeAction: {multi: {destinations: [
  {destination: {upstream: {name: up, namespace: test}}, weight: %d},
  {destination: {upstream: {name: up, namespace: test}}, weight: %d}]}}}`, primary, canary))
}

const direct = `directResponseAction: {status: 200}`

// verdict is what is said of one object. proxy is the state in its
// subresource status; reason is a part of its own reason.
type verdict struct{ state, proxy, reason string }

const accepted, warning, rejected = translate.StateAccepted, translate.StateWarning, translate.StateRejected

func TestVerdicts(t *testing.T) {
	single := func(extra string) string {
		return table(`{` + extra + `routeAction: {single: {upstream: {name: up}}}}`)
	}
	for name, test := range map[string]struct {
		world   string
		refusal string
		vs, rt  verdict
	}{
		"all is well": {
			world: virtualService + weights(80, 20) + upstream,
			vs:    verdict{accepted, accepted, ""},
			rt:    verdict{accepted, accepted, ""},
		},
		"a missing Upstream shows on the table in the subresource only": {
			world: virtualService + weights(80, 20),
			vs:    verdict{warning, warning, "Route Warning: InvalidDestinationWarning. Reason: invalid destination in weighted destination list: *v1.Upstream { test.up } not found"},
			rt:    verdict{accepted, warning, ""},
		},
		"a total weight of zero refuses the VirtualService and leaves the table accepted": {
			world: virtualService + weights(0, 0) + upstream,
			vs:    verdict{rejected, accepted, "require a total weight that is greater than or equal to 1. Route Name: test_vs-route-0-matcher-0"},
			rt:    verdict{accepted, accepted, ""},
		},
		"a route without action refuses both": {
			world: virtualService + table(`{}`),
			vs:    verdict{rejected, accepted, "on sub route table test.rt: invalid route: route must specify an action"},
			rt:    verdict{rejected, accepted, "1 error occurred:\n\t* invalid route: route must specify an action\n\n"},
		},
		"the refusal asked for is in the words asked for": {
			world:   virtualService + weights(80, 20) + upstream,
			refusal: "no weights on Fridays",
			vs:      verdict{rejected, accepted, "on sub route table test.rt: no weights on Fridays"},
			rt:      verdict{rejected, accepted, "* no weights on Fridays"},
		},
		"a duration that is not in seconds cannot be read": {
			world: virtualService + single(`options: {timeout: 1m}, `) + upstream,
			vs:    verdict{rejected, accepted, "on sub route table test.rt: parsing RouteTable: duration"},
			rt:    verdict{rejected, accepted, "parsing RouteTable: duration"},
		},
		"an option that is not honoured is a warning": {
			world: virtualService + single(`options: {jwt: {disable: true}}, `) + upstream,
			vs:    verdict{warning, accepted, "on sub route table test.rt: options.jwt is not honoured"},
			rt:    verdict{warning, accepted, "warning: \n  options.jwt is not honoured"},
		},
		"a missing table is a warning": {
			world: virtualService,
			vs:    verdict{warning, accepted, "route table test.rt missing"},
		},
		"a table that leaves its parent's path is a warning": {
			world: strings.Replace(virtualService, "prefix: /", "prefix: /api", 1) + table(`{matchers: [{prefix: /web}], `+direct+`}`),
			vs:    verdict{warning, accepted, "on sub route table test.rt: required prefix: /api, prefix: /web"},
			rt:    verdict{warning, accepted, "required prefix: /api, prefix: /web"},
		},
		"of two headers of a name the last one has to be the parent's": {
			world: strings.Replace(virtualService, "prefix: /", "prefix: /, headers: [{name: a, value: b}]", 1) +
				table(`{matchers: [{prefix: /, headers: [{name: a, value: b}, {name: a, value: c}]}], `+direct+`}`),
			vs: verdict{warning, accepted, "route table matchers must have all headers that were specified on their parent route's matcher"},
			rt: verdict{warning, accepted, "route table matchers must have all headers"},
		},
		"the parent's header is the last one of its name": {
			world: strings.Replace(virtualService, "prefix: /", "prefix: /, headers: [{name: a, value: b}]", 1) +
				table(`{matchers: [{prefix: /, headers: [{name: a, value: c}, {name: a, value: b}]}], `+direct+`}`),
			vs: verdict{accepted, accepted, ""},
			rt: verdict{accepted, accepted, ""},
		},
		"tables that delegate to each other are refused": {
			world: virtualService + table(`{delegateAction: {ref: {name: rt, namespace: test}}}`),
			vs:    verdict{rejected, accepted, "delegation cycle detected: [test.rt] -> [test.rt]"},
			rt:    verdict{rejected, accepted, "delegation cycle detected: [test.rt] -> [test.rt]"},
		},
		"an expression that Envoy cannot compile is refused": {
			world: virtualService + table(`{matchers: [{prefix: /, headers: [{name: a, value: "(", regex: true}]}], `+direct+`}`),
			vs:    verdict{rejected, accepted, "invalid regex"},
			rt:    verdict{accepted, accepted, ""},
		},
		"a domain belongs to one VirtualService": {
			world: virtualService + "---" + strings.Replace(virtualService, "name: vs", "name: other", 1) + table(`{`+direct+`}`),
			vs:    verdict{rejected, accepted, "the [a.example.com] domain is present in other virtual services that belong to the same Gateway as this one: [test.other]"},
			rt:    verdict{accepted, accepted, ""},
		},
		"a share of a shadow is at most all of it": {
			world: virtualService + single(`options: {shadowing: {upstream: {name: up}, percentage: 101}}, `) + upstream,
			vs:    verdict{rejected, accepted, "shadow percentage must be between 0 and 100, received 101"},
			rt:    verdict{accepted, accepted, ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := gatewaytest.World(t, []byte(test.world))
			w.Refusal = test.refusal
			statuses := translate.Translate(w, settings).Statuses
			check(t, statuses, gloo.ID{Kind: gloo.VirtualServiceKind, Ref: gloo.Ref{Name: "vs", Namespace: "test"}}, test.vs)
			check(t, statuses, gloo.ID{Kind: gloo.RouteTableKind, Ref: gloo.Ref{Name: "rt", Namespace: "test"}}, test.rt)
		})
	}
}

func check(t *testing.T, statuses map[gloo.ID]translate.Status, id gloo.ID, want verdict) {
	t.Helper()
	s, ok := statuses[id]
	if ok != (want.state != "") {
		t.Fatalf("%s has status %v, want %v", id.Ref, s, want)
	}
	proxy := s.SubresourceStatuses["*v1.Proxy.gateway-proxy_gloo-system"].State
	if s.State != want.state || proxy != want.proxy || !strings.Contains(s.Reason, want.reason) || (want.reason == "") != (s.Reason == "") {
		t.Errorf("%s %s is %s, %s as part of the proxy, reason %q; want %+v", id.Kind.Kind, id.Ref, s.State, proxy, s.Reason, want)
	}
	if ok && s.ReportedBy != "gloo" {
		t.Errorf("status of %s is reported by %q", id.Ref, s.ReportedBy)
	}
}

func TestUpstreamVerdicts(t *testing.T) {
	for name, test := range map[string]struct {
		spec, state, reason string
	}{
		"static":                {`{static: {hosts: []}}`, accepted, ""},
		"no Service":            {`{kube: {serviceName: gone, serviceNamespace: test, servicePort: 80}}`, warning, "references the service 'gone' which does not exist in namespace 'test'"},
		"no type":               {`{}`, rejected, "no upstream type"},
		"field not honoured":    {`{static: {hosts: []}, sslConfig: {sni: a}}`, warning, "sslConfig is not honoured"},
		"harmless field":        {`{static: {hosts: []}, circuitBreakers: {maxRequests: 1}}`, accepted, ""},
		"unreadable field type": {`{static: 7}`, rejected, "parsing Upstream"},
	} {
		t.Run(name, func(t *testing.T) {
			world := fmt.Sprintf("apiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata: {name: up, namespace: test}\nspec: %s", test.spec)
			statuses := translate.Translate(gatewaytest.World(t, []byte(world)), settings).Statuses
			s := statuses[gloo.ID{Kind: gloo.UpstreamKind, Ref: gloo.Ref{Name: "up", Namespace: "test"}}]
			if s.State != test.state || !strings.Contains(s.Reason, test.reason) || s.SubresourceStatuses != nil {
				t.Errorf("status %+v, want %s with %q and no subresources", s, test.state, test.reason)
			}
		})
	}
}

// TestRefusedKeepsServing: what is refused leaves in force what was served.
func TestRefusedKeepsServing(t *testing.T) {
	before := translate.Translate(gatewaytest.World(t, []byte(virtualService+weights(80, 20)+upstream)), settings)
	for name, broken := range map[string]string{
		"total weight of zero": virtualService + weights(0, 0) + upstream,
		"unreadable table":     virtualService + table(`{options: {timeout: soon}}`) + upstream,
		"unreadable service":   strings.Replace(virtualService, "domains: [a.example.com]", "domains: 7", 1) + upstream,
	} {
		t.Run(name, func(t *testing.T) {
			w := gatewaytest.World(t, []byte(broken))
			w.Kept = before.Serving
			after := translate.Translate(w, settings)
			if diff := cmp.Diff(before.Routes, after.Routes, protocmp.Transform()); diff != "" {
				t.Errorf("routes changed (-before +after):\n%s", diff)
			}
		})
	}
	t.Run("a VirtualService that is deleted serves no more", func(t *testing.T) {
		w := gatewaytest.World(t, []byte(upstream))
		w.Kept = before.Serving
		if hosts := translate.Translate(w, settings).Routes.VirtualHosts; len(hosts) > 0 {
			t.Errorf("still serving %v", hosts)
		}
	})
}
