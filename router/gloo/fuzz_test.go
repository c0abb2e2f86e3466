package gloo

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/serin-dev/serin/router"
)

// FuzzTable lets somebody edit spec and status of the RouteTable in any way before the router reads it
// and writes the next weight: it does so or says why not, and leaves what it does not know.
func FuzzTable(f *testing.F) {
	for _, spec := range []string{
		`null`, `{}`, `{"routes":null}`, `{"routes":[]}`, `{"routes":[null]}`, `{"routes":"x"}`, `{"routes":[{"routeAction":{"multi":null}}]}`,
		`{"routes":[{"name":"podinfo","routeAction":{"multi":{"destinations":[{"weight":"x"},{"weight":-1},null]}}}]}`,
		`{"routes":[{"matchers":[{"prefix":"/"}],"routeAction":{"single":{}}},{"delegateAction":{}}],"weight":1e99}`,
		`{"routes":[{"matchers":"x","options":[],"routeAction":{"multi":{"destinations":[{"destination":{"upstream":{"name":1}},"weight":0}]}}}],"own":{"a":1}}`,
	} {
		f.Add([]byte(spec), []byte(`{"statuses":{"gloo-system":{"state":"Accepted"}}}`))
	}
	for _, status := range []string{
		`null`, `[]`, `{"statuses":[]}`, `{"statuses":{"a":null,"b":7}}`, `{"statuses":{"a":{"state":{},"reason":[],"subresourceStatuses":{"x":1}}}}`,
		`{"state":2,"reason":"x"}`, `{"statuses":{"a":{"state":9.5,"subresourceStatuses":[null]}}}`,
	} {
		f.Add([]byte(`{"routes":[],"own":true}`), []byte(status))
	}
	f.Fuzz(func(t *testing.T, spec, status []byte) {
		var asked, said any
		if json.Unmarshal(spec, &asked) != nil || json.Unmarshal(status, &said) != nil {
			return
		}
		w := inMemory(t, delegating)
		w.ensure(t, 1)
		w.alter(t, w.readTable(t), func(u *unstructured.Unstructured) { u.Object["spec"], u.Object["status"] = asked, said })
		_, _ = w.Get(t.Context(), w.target) // an error says what cannot be read
		err := w.Ensure(t.Context(), w.target, 2)
		if err == nil {
			err = w.Set(t.Context(), w.target, router.Traffic{Weights: router.Percent(20)}, 3)
		}
		if err == nil && w.state(t).Weights != router.Percent(20) {
			t.Errorf("the weights are %s after a write that succeeded", w.state(t).Weights)
		}
		if before, ok := asked.(map[string]any); ok {
			after, _, _ := unstructured.NestedMap(w.readTable(t).Object, "spec")
			for _, theirs := range []map[string]any{before, after} {
				delete(theirs, "routes")
			}
			if diff := cmp.Diff(normal(t, before), normal(t, after)); diff != "" {
				t.Errorf("fields of others (-before +after):\n%s", diff)
			}
		}
	})
}

// normal is a value as JSON has it.
func normal(t *testing.T, v map[string]any) string {
	t.Helper()
	text, err := json.Marshal(v)
	must(t, err)
	return string(text)
}
