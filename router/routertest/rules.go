package routertest

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
)

// Answer is what a route does with a request.
type Answer struct {
	// Weights of the two sides: 0/100 where it goes to the canary whatever the others do.
	router.Weights
	// Copies is the share of such requests of which the canary gets a copy.
	Copies v1beta1.Weight
	// PrimaryCookie and CanaryCookie are the Set-Cookie headers that the sides' answers get.
	PrimaryCookie, CanaryCookie string
}

// rule is a kind of rules that a router may have.
type rule struct {
	rules v1beta1.RouteRules
	// has picks what of the features it needs.
	has func(router.Features) bool
	// hit is a request that the rules concern, and answer what becomes of it beside weights of 80/20.
	hit    *http.Request
	answer Answer
}

var others = Answer{Weights: router.Percent(20)}

var toCanary = Answer{Weights: router.Percent(100)}

// request makes a GET / with headers: names and values in turn.
func request(method, target string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Add(pair[0], pair[1])
	}
	return r
}

func match(m ...v1beta1.CanaryMatch) v1beta1.RouteRules { return v1beta1.RouteRules{Match: m} }

func header(name string, m v1beta1.StringMatch) v1beta1.CanaryMatch {
	return v1beta1.CanaryMatch{Headers: map[string]v1beta1.StringMatch{name: m}}
}

var affinity = &v1beta1.Affinity{
	SessionAffinity: v1beta1.SessionAffinity{CookieName: "side", PrimaryCookieName: "home", MaxAge: 60, Path: "/shop", Secure: true},
	CanaryValue:     "rev-2", PrimaryValue: "rev-1",
}

// kinds of rules by their names.
func kinds() map[string]rule {
	const cookies = "; Path=/shop; Max-Age=60; Secure"
	marked := Answer{Weights: router.Percent(20), PrimaryCookie: "home=rev-1" + cookies, CanaryCookie: "side=rev-2" + cookies}
	return map[string]rule{
		"header": {
			rules: match(header("x-canary", v1beta1.StringMatch{Exact: "insider"})),
			has:   func(f router.Features) bool { return f.Headers },
			hit:   request("GET", "/", "X-Canary", "insider"), answer: toCanary,
		},
		"query parameter": {
			rules: match(v1beta1.CanaryMatch{QueryParams: map[string]v1beta1.StringMatch{"v": {Exact: "2"}}}),
			has:   func(f router.Features) bool { return f.QueryParams },
			hit:   request("GET", "/?v=2"), answer: toCanary,
		},
		"method": {
			rules: match(v1beta1.CanaryMatch{Method: &v1beta1.StringMatch{Exact: "POST"}}),
			has:   func(f router.Features) bool { return f.Methods },
			hit:   request("POST", "/"), answer: toCanary,
		},
		"mirror": {
			rules: v1beta1.RouteRules{Mirror: v1beta1.FullWeight},
			has:   func(f router.Features) bool { return f.Mirror },
			hit:   request("GET", "/"), answer: Answer{Weights: router.Percent(20), Copies: v1beta1.FullWeight},
		},
		"mirror of a share": {
			rules: v1beta1.RouteRules{Mirror: 125},
			has:   func(f router.Features) bool { return f.MirrorShare },
			hit:   request("GET", "/"), answer: Answer{Weights: router.Percent(20), Copies: 125},
		},
		"affinity": {
			rules: v1beta1.RouteRules{Affinity: affinity},
			has:   func(f router.Features) bool { return f.Affinity },
			hit:   request("GET", "/"), answer: marked,
		},
		"source labels": {
			rules: match(v1beta1.CanaryMatch{SourceLabels: map[string]string{"app": "web"}}),
			has:   func(router.Features) bool { return false },
		},
	}
}

// each runs a test for each kind of rules that the router has.
func each(t *testing.T, s Subject, test func(t *testing.T, k rule)) {
	s.ensure(t, 1)
	for name, k := range kinds() {
		if k.has(s.Router.Features()) {
			t.Run(name, func(t *testing.T) { test(t, k) })
			s.set(t, router.Percent(0), 1)
		}
	}
}

// rule sets rules beside weights of 80/20.
func (s Subject) rule(t *testing.T, rules v1beta1.RouteRules) {
	t.Helper()
	if err := s.Router.Set(t.Context(), s.Target, router.Traffic{Weights: router.Percent(20), Rules: rules}, 1); err != nil {
		t.Fatalf("Set with rules: %v", err)
	}
}

// ruled fails the test unless these rules stand.
func (s Subject) ruled(t *testing.T, rules v1beta1.RouteRules) {
	t.Helper()
	if st := s.get(t); st.Rules != rules.Digest() {
		t.Errorf("rules %q stand, want %q", st.Rules, rules.Digest())
	}
}

// answers fails the test unless the route does this with a request, where that can be seen.
func (s Subject) answers(t *testing.T, r *http.Request, want Answer) {
	t.Helper()
	if s.Ask == nil {
		return
	}
	if diff := cmp.Diff(want, s.Ask(t, r)); diff != "" {
		t.Errorf("%s %s with headers %v (-want +got):\n%s", r.Method, r.URL, r.Header, diff)
	}
}

func rulesInOneWrite(t *testing.T, s Subject) {
	each(t, s, func(t *testing.T, k rule) {
		before := s.Writes()
		s.rule(t, k.rules)
		if n := s.Writes() - before; n != 1 {
			t.Errorf("weights and rules took %d writes, want 1", n)
		}
		s.stands(t, router.Percent(20), 1)
		s.ruled(t, k.rules)
		s.answers(t, k.hit, k.answer)
		s.quiet(t, func() { s.rule(t, k.rules) })
	})
}

func rulesRemoved(t *testing.T, s Subject) {
	each(t, s, func(t *testing.T, k rule) {
		s.rule(t, k.rules)
		s.set(t, router.Percent(20), 1)
		s.ruled(t, v1beta1.RouteRules{})
		s.answers(t, k.hit, others)
	})
}

func rulesReplaced(t *testing.T, s Subject) {
	each(t, s, func(t *testing.T, k rule) {
		for _, other := range kinds() {
			if other.has(s.Router.Features()) {
				s.rule(t, other.rules)
				s.rule(t, k.rules)
				s.ruled(t, k.rules)
				s.answers(t, k.hit, k.answer)
			}
		}
	})
}

func rulesSurviveEnsure(t *testing.T, s Subject) {
	each(t, s, func(t *testing.T, k rule) {
		s.rule(t, k.rules)
		s.quiet(t, func() { s.ensure(t, 1) })
		s.ruled(t, k.rules)
		s.answers(t, k.hit, k.answer)
	})
}

func rulesRepaired(t *testing.T, s Subject) {
	each(t, s, func(t *testing.T, k rule) {
		s.rule(t, k.rules)
		s.EditRules(t)
		if st := s.get(t); st.Rules == k.rules.Digest() || st.Rules == "" {
			t.Errorf("rules %q stand after an edit, want a word of the router's own", st.Rules)
		}
		s.ensure(t, 1)
		s.rule(t, k.rules)
		s.ruled(t, k.rules)
		s.answers(t, k.hit, k.answer)
	})
}

func rulesLeaveForeign(t *testing.T, s Subject) {
	s.ensure(t, 1)
	check := s.Decorate(t)
	for name, k := range kinds() {
		if k.has(s.Router.Features()) {
			t.Run(name, func(t *testing.T) {
				s.rule(t, k.rules)
				s.ruled(t, k.rules)
				check(t)
				s.set(t, router.Percent(20), 1)
				check(t)
			})
		}
	}
}

// rulesReleased is a Canary that is deleted in the middle of its analysis.
func rulesReleased(t *testing.T, s Subject) {
	for _, k := range kinds() {
		if k.has(s.Router.Features()) {
			s.ensure(t, 1)
			s.rule(t, k.rules)
			s.release(t)
			s.Released(t)
			s.Delete(t)
		}
	}
}

func rulesRefused(t *testing.T, s Subject) {
	s.ensure(t, 1)
	for name, k := range kinds() {
		if !k.has(s.Router.Features()) {
			t.Run(name, func(t *testing.T) { s.refuses(t, router.Traffic{Weights: router.Percent(100), Rules: k.rules}) })
		}
	}
}

// refuses fails the test unless the traffic is refused in a sentence and nothing is written.
func (s Subject) refuses(t *testing.T, tr router.Traffic) {
	t.Helper()
	s.quiet(t, func() {
		err := s.Router.Set(t.Context(), s.Target, tr, 2)
		var refused *router.NotReady
		if !errors.As(err, &refused) || refused.Problem.Reason == "" || refused.RetryAfter != 0 {
			t.Errorf("Set returns %v, want a *NotReady that asks the user", err)
		}
	})
}

// whatMatches holds how requests are compared, for every router that has headers.
func whatMatches(t *testing.T, s Subject) {
	s.ensure(t, 1)
	if s.Ask == nil || !s.Router.Features().Headers {
		return
	}
	cookie := func(m v1beta1.StringMatch) v1beta1.CanaryMatch {
		return v1beta1.CanaryMatch{Cookies: map[string]v1beta1.StringMatch{"beta": m}}
	}
	two := v1beta1.CanaryMatch{Headers: map[string]v1beta1.StringMatch{"a": {Exact: "1"}, "b": {Exact: "2"}}}
	tests := map[string]struct {
		match     []v1beta1.CanaryMatch
		hit, miss []*http.Request
	}{
		"one of two entries is enough": {
			match: []v1beta1.CanaryMatch{header("a", v1beta1.StringMatch{Exact: "1"}), header("b", v1beta1.StringMatch{Exact: "2"})},
			hit:   []*http.Request{request("GET", "/", "A", "1"), request("GET", "/", "B", "2")},
			miss:  []*http.Request{request("GET", "/"), request("GET", "/", "A", "2")},
		},
		"all of one entry is needed": {
			match: []v1beta1.CanaryMatch{two},
			hit:   []*http.Request{request("GET", "/", "A", "1", "B", "2")},
			miss:  []*http.Request{request("GET", "/", "A", "1"), request("GET", "/", "B", "2")},
		},
		"special characters are meant as they are": {
			match: []v1beta1.CanaryMatch{header("a", v1beta1.StringMatch{Prefix: "1.5|(x"})},
			hit:   []*http.Request{request("GET", "/", "A", "1.5|(x"), request("GET", "/", "A", "1.5|(x)")},
			miss:  []*http.Request{request("GET", "/", "A", "1x5|(x"), request("GET", "/", "A", "1.5"), request("GET", "/", "A", "01.5|(x")},
		},
		"a suffix": {
			match: []v1beta1.CanaryMatch{header("a", v1beta1.StringMatch{Suffix: "@example.com"})},
			hit:   []*http.Request{request("GET", "/", "A", "me@example.com")},
			miss:  []*http.Request{request("GET", "/", "A", "me@example_com"), request("GET", "/", "A", "me@example.com.org")},
		},
		"an expression is for the whole value": {
			match: []v1beta1.CanaryMatch{header("a", v1beta1.StringMatch{Regex: "v[0-9]"})},
			hit:   []*http.Request{request("GET", "/", "A", "v1")},
			miss:  []*http.Request{request("GET", "/", "A", "v10"), request("GET", "/", "A", "xv1")},
		},
		"a cookie among others": {
			match: []v1beta1.CanaryMatch{cookie(v1beta1.StringMatch{Exact: "y+s"})},
			hit:   []*http.Request{request("GET", "/", "Cookie", "beta=y+s"), request("GET", "/", "Cookie", "a=b; beta=y+s; c=d")},
			miss: []*http.Request{
				request("GET", "/", "Cookie", "beta=yys"), request("GET", "/", "Cookie", "xbeta=y+s"), request("GET", "/", "Cookie", "beta=y+s2; a=y+s"),
			},
		},
		"an expression stays within its cookie": {
			match: []v1beta1.CanaryMatch{cookie(v1beta1.StringMatch{Regex: "^.*s$"})},
			hit:   []*http.Request{request("GET", "/", "Cookie", "a=b; beta=yes; c=d")},
			miss:  []*http.Request{request("GET", "/", "Cookie", "beta=no; c=yes")},
		},
		"the beginning of a cookie": {
			match: []v1beta1.CanaryMatch{cookie(v1beta1.StringMatch{Prefix: "ye"})},
			hit:   []*http.Request{request("GET", "/", "Cookie", "beta=yes; c=d")},
			miss:  []*http.Request{request("GET", "/", "Cookie", "beta=no; c=yes")},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s.rule(t, v1beta1.RouteRules{Match: tc.match})
			for _, r := range tc.hit {
				s.answers(t, r, toCanary)
			}
			for _, r := range tc.miss {
				s.answers(t, r, others)
			}
		})
	}
}

// cookiesKeep holds that a cookie of this run decides, and no other one.
func cookiesKeep(t *testing.T, s Subject) {
	s.ensure(t, 1)
	if s.Ask == nil || !s.Router.Features().Affinity {
		return
	}
	s.rule(t, v1beta1.RouteRules{Affinity: affinity})
	marked := s.Ask(t, request("GET", "/"))
	s.answers(t, request("GET", "/", "Cookie", "a=b; side=rev-2"), toCanary)
	s.answers(t, request("GET", "/", "Cookie", "home=rev-1; a=b"), Answer{Weights: router.Percent(0)})
	for _, stale := range []string{"side=rev-1", "home=rev-0", "side=rev-22", "xside=rev-2"} {
		s.answers(t, request("GET", "/", "Cookie", stale), marked)
	}
}

func tenths(t *testing.T, s Subject) {
	s.ensure(t, 1)
	w := router.Split(125)
	if !s.Router.Features().Tenths {
		s.refuses(t, router.Traffic{Weights: w})
		return
	}
	s.set(t, w, 2)
	s.stands(t, w, 2)
	s.quiet(t, func() { s.set(t, w, 2) })
	s.quiet(t, func() { s.ensure(t, 3) })
	s.set(t, router.Percent(13), 3)
	s.stands(t, router.Percent(13), 3)
}

func weightless(t *testing.T, s Subject) {
	s.ensure(t, 1)
	if !s.Router.Features().Weights {
		s.refuses(t, router.Traffic{Weights: router.Percent(20)})
	}
}
