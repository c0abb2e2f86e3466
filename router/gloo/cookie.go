package gloo

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const setCookie = "set-cookie"

// responseHeaders is where a destination adds headers to its answers.
var responseHeaders = []string{"options", "headerManipulation", "responseHeadersToAdd"}

// addCookie makes a destination's answers set a cookie, besides what else they set. Envoy takes a
// percent sign for the beginning of a variable.
func addCookie(entry map[string]any, cookie string) {
	added := map[string]any{"header": map[string]any{"key": setCookie, "value": strings.ReplaceAll(cookie, "%", "%%")}}
	// A field of another kind in the way is none that Gloo would have taken.
	_ = unstructured.SetNestedSlice(entry, append(headersOf(entry), added), responseHeaders...)
}

// removeCookies takes cookies of these names off a destination's answers. Other headers stay.
func removeCookies(entry map[string]any, names []string) {
	headers := headersOf(entry)
	kept := slices.DeleteFunc(slices.Clone(headers), func(h any) bool { return setsCookie(h, names) })
	switch {
	case len(kept) == len(headers):
	case len(kept) == 0:
		drop(entry, responseHeaders...)
	default:
		_ = unstructured.SetNestedSlice(entry, kept, responseHeaders...)
	}
}

func headersOf(entry map[string]any) []any {
	list, _, _ := unstructured.NestedFieldNoCopy(entry, responseHeaders...)
	headers, _ := list.([]any)
	return headers
}

// setsCookie reports whether an added header is a cookie of one of these names.
func setsCookie(added any, names []string) bool {
	option, _ := added.(map[string]any)
	key, _, _ := unstructured.NestedString(option, "header", "key")
	value, _, _ := unstructured.NestedString(option, "header", "value")
	name, _, found := strings.Cut(value, "=")
	return found && strings.EqualFold(key, setCookie) && slices.Contains(names, name)
}
