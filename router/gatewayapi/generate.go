package gatewayapi

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/serin-dev/serin/router/internal/object"
)

// generatedAnnotation on a route that Serin made keeps what spec.service asked for when it was last
// written. A field that spec.service changes since then follows; one that it does not is the user's to
// edit on the route.
const generatedAnnotation = "serin.dev/generated-route"

// The fields of a route that spec.service describes: of its spec, and of its rule.
var (
	specFields = []string{"parentRefs", "hostnames"}
	ruleFields = []string{"matches", "filters", "timeouts"}
)

// described is what spec.service says of the route, by the field of the route.
func (rt *route) described() (map[string]any, error) {
	filters, err := rt.filters()
	if err != nil {
		return nil, err
	}
	matches, err := rt.matches()
	if err != nil {
		return nil, err
	}
	spec, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&gatewayv1.HTTPRouteSpec{
		CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: rt.parentRefs()},
		Hostnames:       rt.hostnames(),
		Rules:           []gatewayv1.HTTPRouteRule{{Matches: matches, Filters: filters, Timeouts: rt.timeouts()}},
	})
	if err != nil {
		return nil, fmt.Errorf("make HTTPRoute %s: %w", rt.key(), err)
	}
	rules, _, _ := unstructured.NestedSlice(spec, "rules")
	delete(spec, "rules")
	maps.Copy(spec, rules[0].(map[string]any))
	return spec, nil
}

// generate writes all that spec.service describes on a new route.
func (rt *route) generate() error { return rt.regenerate(map[string]any{}) }

// follow brings a route that Serin made, or that an earlier tool made of a Canary, up to date with
// spec.service. On a user's own route nothing is followed.
func (rt *route) follow() error {
	if !rt.generated() {
		return nil
	}
	text := rt.live.GetAnnotations()[generatedAnnotation]
	var before map[string]any
	if err := json.Unmarshal([]byte(text), &before); err != nil {
		// Nothing tells what was generated: what stands counts as that.
		if before, err = rt.described(); err != nil {
			return err
		}
	}
	return rt.regenerate(before)
}

func (rt *route) generated() bool {
	_, ours := rt.live.GetAnnotations()[generatedAnnotation]
	return ours || object.CanaryOwned(rt.live)
}

// left are the fields of spec.service that are set, and left to the user on a route of theirs.
func (rt *route) left() []string {
	if rt.generated() {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(serviceFields), func(field string) bool { return !rt.asks(field) })
}

// regenerate writes the fields that spec.service describes otherwise than before.
func (rt *route) regenerate(before map[string]any) error {
	now, err := rt.described()
	if err != nil {
		return err
	}
	spec, _, _ := unstructured.NestedFieldNoCopy(rt.wanted.Object, "spec")
	replace(spec.(map[string]any), specFields, before, now)
	// Where somebody has made more rules of it, nobody knows which of them a field is for.
	if bases := rt.bases(); len(bases) == 1 {
		replace(bases[0], ruleFields, before, now)
	}
	text, err := json.Marshal(now)
	if err != nil {
		return fmt.Errorf("keep what is made of HTTPRoute %s: %w", rt.key(), err)
	}
	object.SetAnnotations(rt.wanted, map[string]string{generatedAnnotation: string(text)})
	return nil
}

func replace(m map[string]any, fields []string, before, now map[string]any) {
	for _, f := range fields {
		switch {
		case equality.Semantic.DeepEqual(before[f], now[f]):
		case now[f] == nil:
			delete(m, f)
		default:
			m[f] = now[f]
		}
	}
}

// sorted names of a map: a list that changes its order would be another list.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
