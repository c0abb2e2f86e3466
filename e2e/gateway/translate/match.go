package translate

import (
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/serin-dev/serin/e2e/gateway/gloo"
)

func match(m gloo.Matcher) *routev3.RouteMatch {
	out := &routev3.RouteMatch{}
	switch {
	case m.Exact != "":
		out.PathSpecifier = &routev3.RouteMatch_Path{Path: m.Exact}
	case m.Regex != "":
		out.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: regex(m.Regex)}
	default:
		out.PathSpecifier = &routev3.RouteMatch_Prefix{Prefix: m.Prefix}
	}
	if m.CaseSensitive != nil {
		out.CaseSensitive = wrapperspb.Bool(*m.CaseSensitive)
	}
	for _, h := range m.Headers {
		out.Headers = append(out.Headers, matchHeader(h))
	}
	if len(m.Methods) > 0 {
		methods := gloo.ValueMatch{Name: ":method", Value: strings.Join(m.Methods, "|"), Regex: true}
		out.Headers = append(out.Headers, matchHeader(methods))
	}
	for _, q := range m.QueryParameters {
		out.QueryParameters = append(out.QueryParameters, matchQuery(q))
	}
	return out
}

func matchHeader(h gloo.ValueMatch) *routev3.HeaderMatcher {
	out := &routev3.HeaderMatcher{Name: h.Name, InvertMatch: h.InvertMatch}
	if h.Value == "" {
		out.HeaderMatchSpecifier = &routev3.HeaderMatcher_PresentMatch{PresentMatch: true}
	} else {
		out.HeaderMatchSpecifier = &routev3.HeaderMatcher_StringMatch{StringMatch: matchString(h)}
	}
	return out
}

func matchQuery(q gloo.ValueMatch) *routev3.QueryParameterMatcher {
	out := &routev3.QueryParameterMatcher{Name: q.Name}
	if q.Value == "" {
		out.QueryParameterMatchSpecifier = &routev3.QueryParameterMatcher_PresentMatch{PresentMatch: true}
	} else {
		out.QueryParameterMatchSpecifier = &routev3.QueryParameterMatcher_StringMatch{StringMatch: matchString(q)}
	}
	return out
}

func matchString(v gloo.ValueMatch) *matcherv3.StringMatcher {
	if v.Regex {
		return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: regex(v.Value)}}
	}
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: v.Value}}
}

func regex(expression string) *matcherv3.RegexMatcher {
	return &matcherv3.RegexMatcher{Regex: expression}
}
