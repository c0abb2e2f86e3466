package gatewayapi

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router/internal/pattern"
)

// condition is what a request must meet besides the match of a rule, all of it: a match without a path.
type condition map[string]any

const cookieHeader = "cookie"

// conditionsOf words one entry of an analysis' match; a method that is compared by an expression makes
// several of it.
func conditionsOf(m v1beta1.CanaryMatch) ([]condition, error) {
	for _, list := range []map[string]v1beta1.StringMatch{m.Headers, m.QueryParams} {
		for _, name := range sorted(list) {
			if _, err := regexp.Compile(list[name].Regex); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	headers := headerMatches(m.Headers)
	if len(m.Cookies) > 0 {
		if slices.ContainsFunc(headers, func(h gatewayv1.HTTPHeaderMatch) bool { return strings.EqualFold(string(h.Name), cookieHeader) }) {
			return nil, fmt.Errorf("it compares the header %s and cookies, and a match can compare a header once", cookieHeader)
		}
		expression, err := pattern.Cookies(m.Cookies)
		if err != nil {
			return nil, err
		}
		headers = append(headers, gatewayv1.HTTPHeaderMatch{Name: cookieHeader, Type: new(gatewayv1.HeaderMatchRegularExpression), Value: expression})
	}
	methods, err := methodsOf(m.Method)
	if err != nil {
		return nil, err
	}
	var all []condition
	for _, method := range methods {
		match := gatewayv1.HTTPRouteMatch{Method: method, Headers: headers, QueryParams: queryMatches(m.QueryParams)}
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&match)
		if err != nil {
			return nil, err
		}
		all = append(all, fields)
	}
	return all, nil
}

// holding is the condition that a request brings a cookie with this value.
func holding(name, value string) ([]condition, error) {
	return conditionsOf(v1beta1.CanaryMatch{Cookies: map[string]v1beta1.StringMatch{name: {Exact: value}}})
}

// narrowed are the matches of a rule, each with each of the conditions besides its own. Of those that
// no request can meet there are none.
func narrowed(r rule, conditions []condition) ([]any, error) {
	own, _ := r["matches"].([]any)
	if len(own) == 0 {
		own = []any{map[string]any{"path": map[string]any{"type": string(gatewayv1.PathMatchPathPrefix), "value": "/"}}}
	}
	var all []any
	for _, item := range own {
		match, _ := item.(map[string]any)
		for _, c := range conditions {
			both, possible, err := c.with(match)
			if err != nil {
				return nil, err
			}
			if possible {
				all = append(all, both)
			}
		}
	}
	return all, nil
}

// with is a match that also asks for the condition. A match can compare a header or query parameter
// once: two comparisons of one cannot be put together.
func (c condition) with(match map[string]any) (both map[string]any, possible bool, err error) {
	both = maps.Clone(match)
	if both == nil {
		both = map[string]any{}
	}
	if method, ok := c["method"]; ok {
		if own, ok := both["method"]; ok && own != method {
			return nil, false, nil
		}
		both["method"] = method
	}
	for _, field := range []string{"headers", "queryParams"} {
		own, _ := both[field].([]any)
		more, _ := c[field].([]any)
		list, err := joined(own, more)
		if err != nil {
			return nil, false, err
		}
		if len(list) > 0 {
			both[field] = list
		}
	}
	return both, true, nil
}

func joined(own, more []any) ([]any, error) {
	list := slices.Clone(own)
	for _, m := range more {
		name := nameOf(m)
		i := slices.IndexFunc(own, func(o any) bool { return strings.EqualFold(nameOf(o), name) })
		switch {
		case i < 0:
			list = append(list, m)
		case !equality.Semantic.DeepEqual(own[i], m):
			return nil, fmt.Errorf("the rule already compares %s, and a match can compare it once", name)
		}
	}
	return list, nil
}

func nameOf(v any) string {
	m, _ := v.(map[string]any)
	name, _ := m["name"].(string)
	return name
}
