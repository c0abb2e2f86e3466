package gatewayapi

import (
	"fmt"
	"regexp"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// matches of the rule, from spec.service.match. Every default of the API is written out, so that what
// stands can be compared with what is wanted.
func (n names) matches() []gatewayv1.HTTPRouteMatch {
	var all []gatewayv1.HTTPRouteMatch
	for _, m := range n.Service.Match {
		match := gatewayv1.HTTPRouteMatch{Path: everyPath(), Headers: headerMatches(m.Headers), QueryParams: queryMatches(m.QueryParams)}
		if m.URI != nil {
			match.Path = pathMatch(*m.URI, m.IgnoreURICase)
		}
		if m.Method != nil && m.Method.Exact != "" {
			match.Method = new(gatewayv1.HTTPMethod(m.Method.Exact))
		}
		all = append(all, match)
	}
	if len(all) == 0 {
		all = append(all, gatewayv1.HTTPRouteMatch{Path: everyPath()})
	}
	return all
}

func everyPath() *gatewayv1.HTTPPathMatch {
	return &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchPathPrefix), Value: new("/")}
}

func pathMatch(m v1beta1.StringMatch, ignoreCase bool) *gatewayv1.HTTPPathMatch {
	switch {
	case m == (v1beta1.StringMatch{}):
		return everyPath()
	case m.Exact != "" && !ignoreCase:
		return &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchExact), Value: &m.Exact}
	case m.Prefix != "" && !ignoreCase:
		return &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchPathPrefix), Value: &m.Prefix}
	case ignoreCase:
		return &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchRegularExpression), Value: new("(?i)" + pattern(m))}
	case m.Regex != "":
		return &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchRegularExpression), Value: &m.Regex}
	default:
		return &gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchRegularExpression), Value: new(pattern(m))}
	}
}

// pattern is a comparison as a regular expression. Some implementations search, others compare the
// whole: with its ends fixed it means the same to both.
func pattern(m v1beta1.StringMatch) string {
	switch {
	case m.Exact != "":
		return "^" + regexp.QuoteMeta(m.Exact) + "$"
	case m.Prefix != "":
		return "^" + regexp.QuoteMeta(m.Prefix) + ".*$"
	case m.Suffix != "":
		return "^.*" + regexp.QuoteMeta(m.Suffix) + "$"
	case m.Regex != "":
		return "^(?:" + m.Regex + ")$"
	default:
		return "^.*$"
	}
}

func headerMatches(headers map[string]v1beta1.StringMatch) []gatewayv1.HTTPHeaderMatch {
	var all []gatewayv1.HTTPHeaderMatch
	for _, name := range sorted(headers) {
		match := gatewayv1.HTTPHeaderMatch{Name: gatewayv1.HTTPHeaderName(name), Type: new(gatewayv1.HeaderMatchExact), Value: headers[name].Exact}
		if match.Value == "" {
			match.Type, match.Value = new(gatewayv1.HeaderMatchRegularExpression), pattern(headers[name])
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
			match.Type, match.Value = new(gatewayv1.QueryParamMatchRegularExpression), pattern(params[name])
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
			"method": m.Method != nil && m.Method.Exact == "",
		}
		for _, field := range sorted(conditions) {
			if conditions[field] {
				found = append(found, fmt.Sprintf("spec.service.match[%d].%s", i, field))
			}
		}
	}
	return found
}
