package gatewayapi

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
)

// mirrorOf is the filter that copies a share of the requests to the canary; nil for none. All of them
// need no number, which older CRDs do not know.
func (n names) mirrorOf(share v1beta1.Weight) map[string]any {
	if share == 0 {
		return nil
	}
	ref := map[string]any{"group": "", "kind": "Service", "name": n.CanaryService, "port": int64(n.Port)}
	mirror := map[string]any{"backendRef": ref}
	switch {
	case share >= v1beta1.FullWeight:
	case share%10 == 0:
		mirror["percent"] = int64(share / 10)
	default:
		mirror["fraction"] = map[string]any{"numerator": int64(share), "denominator": int64(v1beta1.FullWeight)}
	}
	return map[string]any{"type": string(gatewayv1.HTTPRouteFilterRequestMirror), "requestMirror": mirror}
}

// addMirror makes the rule copy requests, besides those that it copies elsewhere.
func (w *wording) addMirror(r rule) {
	if w.mirror != nil {
		setList(r, "filters", append(filtersOf(r), w.mirror))
	}
}

// strip takes off what rules of an analysis put on a base: copies to the canary, and cookies.
func (w *wording) strip(r rule) {
	setList(r, "filters", slices.DeleteFunc(filtersOf(r), func(f any) bool {
		ref, _, _ := unstructured.NestedMap(f.(map[string]any), "requestMirror", "backendRef")
		s, ok := w.sideOf(ref)
		return ok && s == canary
	}))
	list := r.backends()
	for i, b := range list {
		if _, ok := w.sideOf(b); ok {
			list[i] = w.withoutCookie(b)
		}
	}
	r.setBackends(list)
}

// addCookies makes each side's answers set its cookie.
func (w *wording) addCookies(r rule) error {
	list := r.backends()
	for i, b := range list {
		s, ok := w.sideOf(b)
		if !ok || w.cookies[s] == "" {
			continue
		}
		with, err := w.withCookie(b, w.cookies[s])
		if err != nil {
			return err
		}
		list[i] = with
	}
	r.setBackends(list)
	return nil
}

const setCookie = "Set-Cookie"

// withCookie returns a backend whose answers set a cookie. A backend has one filter at most that
// changes headers of answers, and that names each header once.
func (w *wording) withCookie(b backend, cookie string) (backend, error) {
	b = maps.Clone(b)
	filters := filtersOf(b)
	i := slices.IndexFunc(filters, modifiesAnswers)
	if i < 0 {
		filters = append(filters, map[string]any{"type": string(gatewayv1.HTTPRouteFilterResponseHeaderModifier), "responseHeaderModifier": map[string]any{}})
		i = len(filters) - 1
	}
	headers := addedBy(filters[i])
	if slices.ContainsFunc(headers, func(h any) bool { return strings.EqualFold(nameOf(h), setCookie) }) {
		return nil, &router.NotReady{Problem: router.Problem{
			Reason: "CookieTaken",
			Message: fmt.Sprintf("a backend of HTTPRoute %s already adds the header %s to its answers, and a filter can add it once: "+
				"remove it, or take sessionAffinity out of the canary's analysis", w.route, setCookie),
		}}
	}
	filters[i] = adding(filters[i], append(headers, map[string]any{"name": setCookie, "value": cookie}))
	setList(b, "filters", filters)
	return b, nil
}

// withoutCookie returns a backend whose answers set none of our cookies. Other headers stay.
func (w *wording) withoutCookie(b backend) backend {
	filters := filtersOf(b)
	i := slices.IndexFunc(filters, modifiesAnswers)
	if i < 0 {
		return b
	}
	headers := addedBy(filters[i])
	kept := slices.DeleteFunc(slices.Clone(headers), w.ourCookie)
	if len(kept) == len(headers) {
		return b
	}
	b = maps.Clone(b)
	filters[i] = adding(filters[i], kept)
	if modifier, _, _ := unstructured.NestedMap(filters[i].(map[string]any), "responseHeaderModifier"); len(modifier) == 0 {
		filters = slices.Delete(filters, i, i+1)
	}
	setList(b, "filters", filters)
	return b
}

// ourCookie reports whether an added header is a cookie that rules set.
func (w *wording) ourCookie(header any) bool {
	value, _ := header.(map[string]any)["value"].(string)
	name, _, found := strings.Cut(value, "=")
	return found && strings.EqualFold(nameOf(header), setCookie) && slices.Contains(w.cookieNames, name)
}

func modifiesAnswers(filter any) bool {
	return filter.(map[string]any)["type"] == string(gatewayv1.HTTPRouteFilterResponseHeaderModifier)
}

// addedBy are the headers that a filter adds to answers.
func addedBy(filter any) []any {
	list, _, _ := unstructured.NestedSlice(filter.(map[string]any), "responseHeaderModifier", "add")
	return list
}

// adding returns the filter with these headers to add.
func adding(filter any, headers []any) map[string]any {
	f := maps.Clone(filter.(map[string]any))
	modifier, _ := f["responseHeaderModifier"].(map[string]any)
	modifier = maps.Clone(modifier)
	if modifier == nil {
		modifier = map[string]any{}
	}
	setList(modifier, "add", headers)
	f["responseHeaderModifier"] = modifier
	return f
}

// filtersOf is a copy of the list of filters of a rule or a backend.
func filtersOf(m map[string]any) []any {
	list, _ := m["filters"].([]any)
	return slices.DeleteFunc(slices.Clone(list), func(f any) bool {
		_, ok := f.(map[string]any)
		return !ok
	})
}

// setList sets a list, and none where it is empty.
func setList(m map[string]any, field string, list []any) {
	if len(list) == 0 {
		delete(m, field)
		return
	}
	m[field] = list
}

// replacesPrefix reports whether a rule, or a backend of it, replaces a prefix of the path.
func (r rule) replacesPrefix() bool {
	lists := [][]any{filtersOf(r)}
	for _, b := range r.backends() {
		lists = append(lists, filtersOf(b))
	}
	for _, f := range slices.Concat(lists...) {
		kind, _, _ := unstructured.NestedString(f.(map[string]any), "urlRewrite", "path", "type")
		if kind == string(gatewayv1.PrefixMatchHTTPPathModifier) {
			return true
		}
	}
	return false
}
