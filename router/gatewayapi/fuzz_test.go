package gatewayapi

import (
	"encoding/json"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/serin-dev/serin/router"
)

// FuzzRoute lets somebody edit rules and status of the HTTPRoute in any way before the router reads it and
// writes the next weight: it does so or says why not.
func FuzzRoute(f *testing.F) {
	for _, rules := range []string{
		`null`, `[]`, `[null]`, `"x"`, `[{"backendRefs":null}]`, `[{"backendRefs":[null,{"weight":"x"},{"name":7,"weight":-1}]}]`,
		`[{"matches":[{"path":{"type":"PathPrefix","value":"/"}}],"backendRefs":[{"name":"podinfo-primary","port":9898,"weight":1e99}]}]`,
		`[{"name":"own","filters":[{"type":"RequestMirror","requestMirror":{}}],"backendRefs":[{"name":"podinfo-canary","weight":100}]},{"matches":"?"}]`,
	} {
		f.Add([]byte(rules), []byte(`{"parents":[]}`))
	}
	for _, status := range []string{
		`null`, `[]`, `{"parents":{}}`, `{"parents":[null,1]}`, `{"parents":[{"parentRef":null,"conditions":[null,{"type":1,"status":[],"observedGeneration":"x"}]}]}`,
		`{"parents":[{"parentRef":{"name":"public","namespace":"infra"},"controllerName":7,"conditions":[{"type":"Accepted","status":"False","reason":"","message":""}]}]}`,
	} {
		f.Add([]byte(`[]`), []byte(status))
	}
	f.Fuzz(func(t *testing.T, rules, status []byte) {
		var asked, said any
		if json.Unmarshal(rules, &asked) != nil || json.Unmarshal(status, &said) != nil {
			return
		}
		w := inMemory(t)
		if err := w.Ensure(t.Context(), w.target, 1); err != nil {
			t.Fatal(err)
		}
		w.alter(t, func(u *unstructured.Unstructured) {
			u.Object["spec"].(map[string]any)["rules"], u.Object["status"] = asked, said
			u.Object["spec"].(map[string]any)["own"] = "theirs"
		})
		_, _ = w.Get(t.Context(), w.target) // an error says what cannot be read
		err := w.Ensure(t.Context(), w.target, 2)
		if err == nil {
			err = w.Set(t.Context(), w.target, router.Traffic{Weights: router.Percent(20)}, 3)
		}
		if err == nil {
			st, err := w.Get(t.Context(), w.target)
			if err != nil || st.Weights != router.Percent(20) {
				t.Errorf("the weights are %s after a write that succeeded: %v", st.Weights, err)
			}
		}
		if own, _, _ := unstructured.NestedString(w.read(t).Object, "spec", "own"); own != "theirs" {
			t.Error("a field of others is gone")
		}
	})
}
