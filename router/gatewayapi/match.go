package gatewayapi

import (
	"fmt"
	"regexp"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router/internal/pattern"
)

// Every default of the API is written out, so that what stands can be compared with what is wanted.

// matches of the rule, from spec.service.match.
func (n names) matches() ([]gatewayv1.HTTPRouteMatch, error) {
	var all []gatewayv1.HTTPRouteMatch
	for i, m := range n.Service.Match {
		methods, err := methodsOf(m.Method)
		if err != nil {
			return nil, inexpressible(fmt.Sprintf("spec.service.match[%d]: %v", i, err))
		}
		for _, method := range methods {
			all = append(all, gatewayv1.HTTPRouteMatch{
				Path: pathMatch(m), Method: method, Headers: headerMatches(m.Headers), QueryParams: queryMatches(m.QueryParams),
			})
		}
	}
	if len(all) == 0 {
		all = append(all, gatewayv1.HTTPRouteMatch{Path: everyPath()})
	}
	return all, nil
}

func everyPath() *gatewayv1.HTTPPathMatch {
	return &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchPathPrefix), Value: new("/")}
}

func pathMatch(m v1beta1.HTTPMatch) *gatewayv1.HTTPPathMatch {
	expression := func(value string) *gatewayv1.HTTPPathMatch {
		return &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchRegularExpression), Value: &value}
	}
	switch {
	case m.URI == nil || *m.URI == v1beta1.StringMatch{}:
		return everyPath()
	case m.IgnoreURICase:
		return expression("(?i)" + pattern.Of(*m.URI))
	case m.URI.Exact != "":
		return &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchExact), Value: &m.URI.Exact}
	case m.URI.Prefix != "":
		return &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchPathPrefix), Value: &m.URI.Prefix}
	default:
		return expression(pattern.Of(*m.URI))
	}
}

// allMethods are those that an HTTPRoute can ask for, one at a time.
var allMethods = []gatewayv1.HTTPMethod{
	gatewayv1.HTTPMethodGet, gatewayv1.HTTPMethodHead, gatewayv1.HTTPMethodPost, gatewayv1.HTTPMethodPut, gatewayv1.HTTPMethodDelete,
	gatewayv1.HTTPMethodConnect, gatewayv1.HTTPMethodOptions, gatewayv1.HTTPMethodTrace, gatewayv1.HTTPMethodPatch,
}

// methodsOf are the methods that a comparison takes, each for a match of its own. Where it takes any,
// that is one match without.
func methodsOf(m *v1beta1.StringMatch) ([]*gatewayv1.HTTPMethod, error) {
	if m == nil || *m == (v1beta1.StringMatch{}) {
		return []*gatewayv1.HTTPMethod{nil}, nil
	}
	expression, err := regexp.Compile(pattern.Of(*m))
	if err != nil {
		return nil, fmt.Errorf("method: %w", err)
	}
	var found []*gatewayv1.HTTPMethod
	for _, method := range allMethods {
		if expression.MatchString(string(method)) {
			found = append(found, &method)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("method is none of %v", allMethods)
	}
	return found, nil
}

func headerMatches(headers map[string]v1beta1.StringMatch) []gatewayv1.HTTPHeaderMatch {
	var all []gatewayv1.HTTPHeaderMatch
	for _, name := range sorted(headers) {
		match := gatewayv1.HTTPHeaderMatch{Name: gatewayv1.HTTPHeaderName(name), Type: new(gatewayv1.HeaderMatchExact), Value: headers[name].Exact}
		if match.Value == "" {
			match.Type, match.Value = new(gatewayv1.HeaderMatchRegularExpression), pattern.Of(headers[name])
		}
		all = append(all, match)
	}
	return all
}

func queryMatches(params map[string]v1beta1.StringMatch) []gatewayv1.HTTPQueryParamMatch {
	var all []gatewayv1.HTTPQueryParamMatch
	for _, name := range sorted(params) {
		match := gatewayv1.HTTPQueryParamMatch{Name: gatewayv1.HTTPHeaderName(name), Type: new(gatewayv1.QueryParamMatchExact), Value: params[name].Exact}
		if match.Value == "" {
			match.Type, match.Value = new(gatewayv1.QueryParamMatchRegularExpression), pattern.Of(params[name])
		}
		all = append(all, match)
	}
	return all
}

// unsaid lists the conditions of spec.service.match that an HTTPRoute has no words for. Without them
// an entry answers more requests than it says.
func (n names) unsaid() []string {
	var found []string
	for i, m := range n.Service.Match {
		conditions := map[string]bool{
			"scheme": m.Scheme != nil, "authority": m.Authority != nil, "withoutHeaders": len(m.WithoutHeaders) > 0, "port": m.Port != 0,
			"sourceLabels": len(m.SourceLabels) > 0, "sourceNamespace": m.SourceNamespace != "", "gateways": len(m.Gateways) > 0,
		}
		for _, field := range sorted(conditions) {
			if conditions[field] {
				found = append(found, fmt.Sprintf("spec.service.match[%d].%s", i, field))
			}
		}
	}
	return found
}
