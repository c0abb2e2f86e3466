package translate

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/serin-dev/serin/e2e/gateway/gloo"
)

// inherit gives a route of a RouteTable what the delegating route hands down.
// An error means that the route asks for less than its parent allows.
func (p *parent) inherit(r gloo.Route) (gloo.Route, error) {
	if r.InheritablePathMatchers == nil {
		r.InheritablePathMatchers = p.route.InheritablePathMatchers
	}
	if r.InheritableMatchers == nil {
		r.InheritableMatchers = p.route.InheritableMatchers
	}
	r.Matchers = slices.Clone(r.Matchers)
	if isTrue(r.InheritablePathMatchers) {
		r.Matchers = p.withPath(r.Matchers)
	}
	if len(r.Matchers) == 0 {
		r.Matchers = []gloo.Matcher{{Prefix: "/"}}
	}
	if isTrue(r.InheritableMatchers) {
		for i, m := range r.Matchers {
			r.Matchers[i].Headers = slices.Concat(p.matcher.Headers, m.Headers)
			r.Matchers[i].QueryParameters = slices.Concat(p.matcher.QueryParameters, m.QueryParameters)
			r.Matchers[i].Methods = slices.Concat(p.matcher.Methods, m.Methods)
		}
	}
	for _, m := range r.Matchers {
		if err := p.allows(m); err != nil {
			return r, err
		}
	}
	r.Options = r.Options.Inherit(p.route.Options)
	return r, nil
}

func isTrue(b *bool) bool { return b != nil && *b }

func (p *parent) withPath(matchers []gloo.Matcher) []gloo.Matcher {
	if len(matchers) == 0 {
		matchers = []gloo.Matcher{{}}
	}
	for i := range matchers {
		m := &matchers[i]
		m.Prefix, m.Exact, m.Regex = p.matcher.Prefix, p.matcher.Exact, p.matcher.Regex
		m.CaseSensitive = p.matcher.CaseSensitive
	}
	return matchers
}

// allows reports whether a matcher stays within the parent's: a longer path
// and all of its conditions.
func (p *parent) allows(m gloo.Matcher) error {
	up := p.matcher
	if !strings.HasPrefix(m.Path(), up.Prefix) {
		return fmt.Errorf("required prefix: %s, prefix: %s: invalid route: route table matchers must begin with the prefix "+
			"of their parent route's matcher", up.Prefix, m.Path())
	}
	if !reflect.DeepEqual(m.CaseSensitive, up.CaseSensitive) {
		return violation("the same case sensitivity of")
	}
	if !hasAll(m.Headers, up.Headers) {
		return violation("all headers that were specified on")
	}
	if !hasAll(m.QueryParameters, up.QueryParameters) {
		return violation("all query params that were specified on")
	}
	if slices.ContainsFunc(up.Methods, func(method string) bool { return !slices.Contains(m.Methods, method) }) {
		return violation("all methods that were specified on")
	}
	return nil
}

func violation(what string) error {
	return fmt.Errorf("invalid route: route table matchers must have %s their parent route's matcher", what)
}

// hasAll looks at the last condition of each name only, as Gloo does.
func hasAll(have, want []gloo.ValueMatch) bool {
	last := map[string]gloo.ValueMatch{}
	for _, h := range have {
		last[h.Name] = h
	}
	return !slices.ContainsFunc(want, func(w gloo.ValueMatch) bool { return last[w.Name] != w })
}
