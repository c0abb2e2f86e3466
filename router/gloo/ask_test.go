package gloo

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/routertest"
)

// ask reads a table as Gloo and Envoy do: the first route that matches answers.
func ask(t *testing.T, w *world, r *http.Request) routertest.Answer {
	t.Helper()
	n := names{w.target}
	for _, rt := range routesOf(w.readTable(t)) {
		if !takes(rt, r) || !n.sends(rt) {
			continue
		}
		answer := routertest.Answer{Copies: copies(rt)}
		var total v1beta1.Weight
		for _, e := range rt.entries() {
			weight := v1beta1.Weight(weightOf(e))
			total += weight
			if s, _ := n.entrySide(e); s == canary {
				answer.Canary, answer.CanaryCookie = weight, cookieOf(e)
			} else {
				answer.Primary, answer.PrimaryCookie = weight, cookieOf(e)
			}
		}
		answer.Weights = router.Split(answer.Canary * v1beta1.FullWeight / total)
		return answer
	}
	t.Fatalf("no route takes %s %s with headers %v", r.Method, r.URL, r.Header)
	return routertest.Answer{}
}

func copies(r route) v1beta1.Weight {
	shadow, _ := r.options()["shadowing"].(map[string]any)
	switch percentage := shadow["percentage"].(type) {
	case int64:
		return v1beta1.Percent(int32(percentage))
	case float64:
		return v1beta1.Weight(percentage * 10)
	}
	return 0
}

func cookieOf(entry map[string]any) string {
	for _, h := range headersOf(entry) {
		if key, _, _ := unstructured.NestedString(h.(map[string]any), "header", "key"); key == setCookie {
			value, _, _ := unstructured.NestedString(h.(map[string]any), "header", "value")
			return value
		}
	}
	return ""
}

func takes(rt route, r *http.Request) bool {
	matchers, _ := rt["matchers"].([]any)
	return len(matchers) == 0 || slices.ContainsFunc(matchers, func(m any) bool { return fitsRequest(m.(map[string]any), r) })
}

func fitsRequest(matcher map[string]any, r *http.Request) bool {
	prefix, _ := matcher["prefix"].(string)
	methods, _, _ := unstructured.NestedStringSlice(matcher, "methods")
	if !strings.HasPrefix(r.URL.Path, prefix) || len(methods) > 0 && !slices.Contains(methods, r.Method) {
		return false
	}
	header := func(name string) []string {
		if name == ":method" {
			return []string{r.Method}
		}
		return r.Header.Values(name)
	}
	query := func(name string) []string { return r.URL.Query()[name] }
	return allFit(matcher["headers"], header) && allFit(matcher["queryParameters"], query)
}

// allFit compares values as Envoy does: an expression is for the whole of it.
func allFit(conditions any, given func(name string) []string) bool {
	list, _ := conditions.([]any)
	for _, item := range list {
		c := item.(map[string]any)
		values := given(c["name"].(string))
		if len(values) == 0 {
			return false
		}
		switch wanted, value := c["value"], strings.Join(values, ","); {
		case wanted == nil:
		case c["regex"] == true:
			if !regexp.MustCompile(`^(?:` + wanted.(string) + `)$`).MatchString(value) {
				return false
			}
		case wanted != value:
			return false
		}
	}
	return true
}

// editRules changes what rules put on the table: its first route of a rule, or else the route of ours.
func editRules(t *testing.T, w *world) {
	t.Helper()
	n := names{w.target}
	w.alter(t, w.readTable(t), func(u *unstructured.Unstructured) {
		routes := routesOf(u)
		if i := slices.IndexFunc(routes, n.ofRule); i >= 0 {
			routes[i]["matchers"] = []any{map[string]any{"prefix": "/elsewhere"}}
			return
		}
		for _, r := range routes {
			delete(r, "options")
		}
	})
}
