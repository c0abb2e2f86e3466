package gatewayapi

import (
	"cmp"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/routertest"
)

// ask reads a route as the API says that every implementation does.
func ask(t *testing.T, w *world, r *http.Request) routertest.Answer {
	t.Helper()
	var rt gatewayv1.HTTPRoute
	must(t, runtime.DefaultUnstructuredConverter.FromUnstructured(w.read(t).Object, &rt))
	rule := taking(rt.Spec.Rules, r)
	if rule == nil {
		t.Fatalf("no rule takes %s %s with headers %v", r.Method, r.URL, r.Header)
	}
	answer := routertest.Answer{}
	for _, f := range rule.Filters {
		if f.Type == gatewayv1.HTTPRouteFilterRequestMirror && string(f.RequestMirror.BackendRef.Name) == w.target.CanaryService {
			answer.Copies = copied(f.RequestMirror)
		}
	}
	var total, onCanary int32
	for _, b := range rule.BackendRefs {
		total += *b.Weight
		if string(b.Name) == w.target.CanaryService {
			onCanary += *b.Weight
			answer.CanaryCookie = cookieOf(b)
		} else {
			answer.PrimaryCookie = cookieOf(b)
		}
	}
	answer.Weights = router.Split(v1beta1.Weight(onCanary) * v1beta1.FullWeight / v1beta1.Weight(total))
	return answer
}

func copied(m *gatewayv1.HTTPRequestMirrorFilter) v1beta1.Weight {
	switch {
	case m.Percent != nil:
		return v1beta1.Percent(*m.Percent)
	case m.Fraction != nil:
		return v1beta1.Weight(m.Fraction.Numerator * int32(v1beta1.FullWeight) / *m.Fraction.Denominator)
	}
	return v1beta1.FullWeight
}

func cookieOf(b gatewayv1.HTTPBackendRef) string {
	for _, f := range b.Filters {
		if f.ResponseHeaderModifier == nil {
			continue
		}
		for _, h := range f.ResponseHeaderModifier.Add {
			if strings.EqualFold(string(h.Name), setCookie) {
				return h.Value
			}
		}
	}
	return ""
}

// taking is the rule with the most specific match; of equals the first.
func taking(rules []gatewayv1.HTTPRouteRule, r *http.Request) *gatewayv1.HTTPRouteRule {
	var best *gatewayv1.HTTPRouteRule
	var most []int
	for i, rule := range rules {
		for _, m := range rule.Matches {
			if !fits(m, r) {
				continue
			}
			method := 0
			if m.Method != nil {
				method = 1
			}
			specific := []int{len(*m.Path.Value), method, len(m.Headers), len(m.QueryParams)}
			if best == nil || slices.Compare(specific, most) > 0 {
				best, most = &rules[i], specific
			}
		}
	}
	return best
}

func fits(m gatewayv1.HTTPRouteMatch, r *http.Request) bool {
	if !strings.HasPrefix(r.URL.Path, *m.Path.Value) || m.Method != nil && string(*m.Method) != r.Method {
		return false
	}
	for _, h := range m.Headers {
		values := r.Header.Values(string(h.Name))
		if len(values) == 0 || !equal(string(*h.Type), h.Value, strings.Join(values, ",")) {
			return false
		}
	}
	for _, q := range m.QueryParams {
		values := r.URL.Query()[string(q.Name)]
		if len(values) == 0 || !equal(string(*q.Type), q.Value, values[0]) {
			return false
		}
	}
	return true
}

// equal searches for an expression, as Traefik does: with its ends fixed that is no less strict.
func equal(kind, wanted, value string) bool {
	if kind == string(gatewayv1.HeaderMatchRegularExpression) {
		return regexp.MustCompile(wanted).MatchString(value)
	}
	return cmp.Compare(wanted, value) == 0
}

// editRules changes what rules put on the route: its first rule that picks requests, or else filters.
func editRules(t *testing.T, w *world) {
	t.Helper()
	n := names{w.target}
	w.alter(t, func(u *unstructured.Unstructured) {
		rules := rulesOf(u)
		if i := slices.IndexFunc(rules, n.picks); i >= 0 {
			rules[i]["matches"] = []any{map[string]any{"path": map[string]any{"type": "PathPrefix", "value": "/elsewhere"}}}
			return
		}
		for _, r := range rules {
			delete(r, "filters")
		}
	})
}
