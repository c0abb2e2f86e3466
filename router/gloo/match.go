package gloo

import (
	"fmt"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// condition is what a request must meet, all of it, in Gloo's words.
type condition struct{ headers, queryParameters []any }

// conditionOf words one entry of a match. A method is compared as the header that it is to Envoy: of
// Gloo's list of methods one is enough, which would widen what the user's own matchers ask for, and
// Gloo moves routes with such a list before those of other tables with longer paths.
func conditionOf(m v1beta1.CanaryMatch) (condition, error) {
	c := condition{}
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		if err := add(&c.headers, name, m.Headers[name]); err != nil {
			return c, err
		}
	}
	if m.Method != nil {
		if err := add(&c.headers, ":method", *m.Method); err != nil {
			return c, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Cookies)) {
		value, err := cookieValue(m.Cookies[name])
		if err != nil {
			return c, fmt.Errorf("cookie %s: %w", name, err)
		}
		c.headers = append(c.headers, cookieMatcher(name, value))
	}
	for _, name := range slices.Sorted(maps.Keys(m.QueryParams)) {
		if err := add(&c.queryParameters, name, m.QueryParams[name]); err != nil {
			return c, err
		}
	}
	return c, nil
}

// add words how a header or query parameter is compared. Gloo knows whole values and expressions, both
// for the whole value; one without either only has to be there.
func add(list *[]any, name string, m v1beta1.StringMatch) error {
	matcher := map[string]any{"name": name}
	if expression := expressionOf(m, ".*"); expression != "" {
		if _, err := regexp.Compile(expression); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		matcher["value"], matcher["regex"] = expression, true
	} else if m.Exact != "" {
		matcher["value"] = m.Exact
	}
	*list = append(*list, matcher)
	return nil
}

// expressionOf is the expression of a comparison that needs one; anything is what stands for the rest.
func expressionOf(m v1beta1.StringMatch, anything string) string {
	switch {
	case m.Prefix != "":
		return regexp.QuoteMeta(m.Prefix) + anything
	case m.Suffix != "":
		return anything + regexp.QuoteMeta(m.Suffix)
	default:
		return m.Regex
	}
}

// holding is the condition that a request brings a cookie with this value.
func holding(name, value string) []condition {
	return []condition{{headers: []any{cookieMatcher(name, regexp.QuoteMeta(value))}}}
}

// cookieMatcher finds a cookie among the others in their one header, by the expression of its value.
func cookieMatcher(name, value string) map[string]any {
	return map[string]any{
		"name":  "cookie",
		"value": `(?:.*;\s*)?` + regexp.QuoteMeta(name) + "=" + value + `(?:\s*;.*)?`,
		"regex": true,
	}
}

// inCookie is what a cookie's value can be made of.
const inCookie = "[^;]"

// cookieValue is the expression of a cookie's value, which ends where the cookie does.
func cookieValue(m v1beta1.StringMatch) (string, error) {
	const anything = inCookie + "*"
	switch {
	case m.Exact != "":
		return regexp.QuoteMeta(m.Exact), nil
	case m.Regex != "":
		return within(m.Regex)
	case m == v1beta1.StringMatch{}:
		return anything, nil
	default:
		return expressionOf(m, anything), nil
	}
}

// within makes an expression for a whole string one for a cookie in the middle of a header: its
// anchors would never match there, and its dots would run into the next cookie.
func within(expression string) (string, error) {
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return "", err
	}
	char, err := syntax.Parse(inCookie, syntax.Perl)
	if err != nil {
		return "", err
	}
	return "(?:" + confined(parsed, char).String() + ")", nil
}

func confined(e, char *syntax.Regexp) *syntax.Regexp {
	switch e.Op {
	case syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine:
		return &syntax.Regexp{Op: syntax.OpEmptyMatch}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return char
	default: // the rest stays, with its parts confined
		for i, sub := range e.Sub {
			e.Sub[i] = confined(sub, char)
		}
		return e
	}
}

// narrowed are the matchers of a route, each with each of the conditions besides its own.
//
// A route without matchers takes the path of the route that delegates to its table, or all paths. Gloo
// leaves a route out whose headers lack what the delegating route asks for, and looks at the last one of
// each name: so the route's own, which fit, come last.
func narrowed(r route, conditions []condition) []any {
	own, _ := r["matchers"].([]any)
	if len(own) == 0 {
		matcher := map[string]any{"prefix": "/"}
		if r["inheritablePathMatchers"] == true {
			matcher = map[string]any{}
		}
		own = []any{matcher}
	}
	var all []any
	for _, matcher := range own {
		for _, c := range conditions {
			m := cloned(matcher)
			extend(m, "headers", c.headers)
			extend(m, "queryParameters", c.queryParameters)
			all = append(all, m)
		}
	}
	return all
}

func extend(matcher map[string]any, field string, conditions []any) {
	own, _ := matcher[field].([]any)
	if len(conditions) > 0 {
		matcher[field] = slices.Concat(conditions, own)
	}
}
