package pattern_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router/internal/pattern"
)

// takes compares as both kinds of proxies do: one searches, the other takes the whole string.
func takes(t *testing.T, expression, text string) bool {
	t.Helper()
	search := regexp.MustCompile(expression).MatchString(text)
	whole := regexp.MustCompile(`^(?:` + expression + `)$`).MatchString(text)
	if search != whole {
		t.Errorf("%s means something else to a proxy that searches, for %q", expression, text)
	}
	return search
}

func TestComparisons(t *testing.T) {
	for name, tc := range map[string]struct {
		match     v1beta1.StringMatch
		hit, miss []string
	}{
		"a whole string":       {v1beta1.StringMatch{Exact: "a.b"}, []string{"a.b"}, []string{"axb", "a.bc", "xa.b"}},
		"a beginning":          {v1beta1.StringMatch{Prefix: "(a"}, []string{"(a", "(ab"}, []string{"x(a", "a"}},
		"an end":               {v1beta1.StringMatch{Suffix: ".b"}, []string{"a.b", ".b"}, []string{"ab", "a.bc"}},
		"an expression":        {v1beta1.StringMatch{Regex: "a|bc"}, []string{"a", "bc"}, []string{"ac", "xbc", "ab"}},
		"whatever there is":    {v1beta1.StringMatch{}, []string{"", "a"}, nil},
		"an expression's ends": {v1beta1.StringMatch{Regex: "^a$"}, []string{"a"}, []string{"ab"}},
	} {
		t.Run(name, func(t *testing.T) { compare(t, pattern.Of(tc.match), tc.hit, tc.miss) })
	}
}

func TestCookies(t *testing.T) {
	type cookies = map[string]v1beta1.StringMatch
	for name, tc := range map[string]struct {
		cookies   cookies
		hit, miss []string
	}{
		"one among others": {
			cookies{"beta": {Exact: "y+s"}},
			[]string{"beta=y+s", "a=b; beta=y+s; c=d", "a=b;beta=y+s ;c=d"},
			[]string{"beta=yys", "xbeta=y+s", "beta=y+s2", "a=beta=y+s", ""},
		},
		"an expression stays in its cookie": {
			cookies{"beta": {Regex: "^.*s$"}}, []string{"beta=yes; c=d", "beta=s"}, []string{"beta=no; c=yes"},
		},
		"and so does a class of it": {
			cookies{"beta": {Regex: "[^x]+s"}}, []string{"beta=yes"}, []string{"beta=no; c=yes", "beta=xs"},
		},
		"two in any order": {
			cookies{"a": {Exact: "1"}, "b": {Prefix: "2"}},
			[]string{"a=1; b=2", "b=23; a=1", "x=y; b=2; z=1; a=1; c=d"},
			[]string{"a=1", "b=2", "a=1; xb=2", "a=12; b=2", "a=1; c=b=2"},
		},
		"three in any order": {
			cookies{"a": {Exact: "1"}, "b": {}, "c": {Suffix: "3"}},
			[]string{"c=3; a=1; b=", "b=x; c=33; d=; a=1"}, []string{"a=1; b=2", "c=3; a=1; d=b"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			expression, err := pattern.Cookies(tc.cookies)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, expression, tc.hit, tc.miss)
		})
	}
}

func compare(t *testing.T, expression string, hit, miss []string) {
	t.Helper()
	for _, s := range hit {
		if !takes(t, expression, s) {
			t.Errorf("%s does not take %q", expression, s)
		}
	}
	for _, s := range miss {
		if takes(t, expression, s) {
			t.Errorf("%s takes %q", expression, s)
		}
	}
}

func TestCookiesThatCannotBeWritten(t *testing.T) {
	for want, cookies := range map[string]map[string]v1beta1.StringMatch{
		"4 cookies":    {"a": {}, "b": {}, "c": {}, "d": {}},
		"cookie beta:": {"beta": {Regex: "("}},
	} {
		if _, err := pattern.Cookies(cookies); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that speaks of %s", err, want)
		}
	}
}
