// Package pattern writes comparisons of strings as regular expressions (RE2) for proxies. Some of them
// search for an expression, others compare the whole string: with its ends fixed it means the same to
// both.
package pattern

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// Of is a comparison as an expression for a whole string. One that compares nothing takes any string.
func Of(m v1beta1.StringMatch) string {
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

// mostCookies bounds the orders in which cookies can come: each is written out.
const mostCookies = 3

// Cookies is an expression for a cookie header that has all of these cookies, in whatever order.
func Cookies(cookies map[string]v1beta1.StringMatch) (string, error) {
	if len(cookies) > mostCookies {
		return "", fmt.Errorf("%d cookies are asked for at once, and an expression for more than %d is too long", len(cookies), mostCookies)
	}
	var each []string
	for _, name := range sortedNames(cookies) {
		value, err := cookieValue(cookies[name])
		if err != nil {
			return "", fmt.Errorf("cookie %s: %w", name, err)
		}
		each = append(each, regexp.QuoteMeta(name)+"="+value)
	}
	var orders []string
	for _, order := range permutations(each) {
		orders = append(orders, strings.Join(order, `\s*;(?:.*;)?\s*`))
	}
	return `^(?:.*;\s*)?(?:` + strings.Join(orders, "|") + `)(?:\s*;.*)?$`, nil
}

func sortedNames(m map[string]v1beta1.StringMatch) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func permutations(all []string) [][]string {
	if len(all) <= 1 {
		return [][]string{all}
	}
	var found [][]string
	for i, first := range all {
		rest := slices.Concat(all[:i], all[i+1:])
		for _, p := range permutations(rest) {
			found = append(found, append([]string{first}, p...))
		}
	}
	return found
}

// anything that a cookie's value can be.
const anything = "[^;]*"

// cookieValue is the expression of a cookie's value, which ends where the cookie does.
func cookieValue(m v1beta1.StringMatch) (string, error) {
	switch {
	case m.Exact != "":
		return regexp.QuoteMeta(m.Exact), nil
	case m.Prefix != "":
		return regexp.QuoteMeta(m.Prefix) + anything, nil
	case m.Suffix != "":
		return anything + regexp.QuoteMeta(m.Suffix), nil
	case m.Regex == "":
		return anything, nil
	}
	parsed, err := syntax.Parse(m.Regex, syntax.Perl)
	if err != nil {
		return "", err
	}
	return "(?:" + confined(parsed).String() + ")", nil
}

// confined makes an expression for a whole string one for a cookie in the middle of a header: there its
// anchors would never match, and what takes any character would run into the next cookie.
func confined(e *syntax.Regexp) *syntax.Regexp {
	switch e.Op {
	case syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine:
		return &syntax.Regexp{Op: syntax.OpEmptyMatch}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return &syntax.Regexp{Op: syntax.OpCharClass, Rune: []rune{0, ';' - 1, ';' + 1, maxRune}}
	case syntax.OpCharClass:
		return &syntax.Regexp{Op: syntax.OpCharClass, Flags: e.Flags, Rune: withoutSemicolon(e.Rune)}
	default:
		for i, sub := range e.Sub {
			e.Sub[i] = confined(sub)
		}
		return e
	}
}

const maxRune = '\U0010FFFF'

// withoutSemicolon takes one character out of a class, which is pairs of first and last.
func withoutSemicolon(pairs []rune) []rune {
	var kept []rune
	for i := 0; i < len(pairs); i += 2 {
		first, last := pairs[i], pairs[i+1]
		if last < ';' || first > ';' {
			kept = append(kept, first, last)
			continue
		}
		if first < ';' {
			kept = append(kept, first, ';'-1)
		}
		if last > ';' {
			kept = append(kept, ';'+1, last)
		}
	}
	return kept
}
