package gatewayapi

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/serin-dev/serin/router"
)

// attached are the parents of spec, with what their controllers say. What they say of a parent that
// was removed stays in status for a while.
func attached(u *unstructured.Unstructured) (parents []gatewayv1.ParentReference, said []gatewayv1.RouteParentStatus) {
	var rt struct {
		Spec   gatewayv1.CommonRouteSpec `json:"spec"`
		Status gatewayv1.RouteStatus     `json:"status"`
	}
	// A status that is not one says nothing.
	_ = runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &rt)
	for _, p := range rt.Status.Parents {
		if slices.ContainsFunc(rt.Spec.ParentRefs, func(ref gatewayv1.ParentReference) bool { return parentName(ref, u) == parentName(p.ParentRef, u) }) {
			said = append(said, p)
		}
	}
	return rt.Spec.ParentRefs, said
}

// parentName is what a parent is called in messages; it tells two of them apart.
func parentName(p gatewayv1.ParentReference, u *unstructured.Unstructured) string {
	kind, namespace := "Gateway", u.GetNamespace()
	if p.Kind != nil {
		kind = string(*p.Kind)
	}
	if p.Namespace != nil {
		namespace = string(*p.Namespace)
	}
	name := fmt.Sprintf("%s %s/%s", kind, namespace, p.Name)
	if p.SectionName != nil {
		name += fmt.Sprintf(" listener %s", *p.SectionName)
	}
	if p.Port != nil {
		name += fmt.Sprintf(" port %d", *p.Port)
	}
	return name
}

// silence is how long a controller may take for its first word on a new route.
const silence = 3 * router.SettleTime

// attachment adds whether anybody serves the route, and what those say who do.
func (f *findings) attachment(now time.Time) {
	switch {
	case len(f.parents) == 0:
		f.add(router.Problem{Reason: "NotAttached", Message: fmt.Sprintf("HTTPRoute %s names no parent, so no request reaches it: "+
			"add the Gateway to its spec.parentRefs", f.key())})
	case len(f.said) == 0 && now.Sub(f.live.GetCreationTimestamp().Time) > silence:
		f.add(router.Problem{Reason: "NotAttached", Message: fmt.Sprintf("no controller has taken up HTTPRoute %s for %s: "+
			"check that it exists, and that its GatewayClass has a controller that runs", f.key(), parentName(f.parents[0], f.live))})
	}
	f.judge()
}

// judge weighs what the controllers say of the present generation. A parent that refuses the route
// serves none of its requests: the others decide, and only where there are none is the route rejected.
func (f *findings) judge() {
	var refused []string
	for _, p := range f.said {
		c := f.current(p, gatewayv1.RouteConditionAccepted)
		if c != nil && c.Status == metav1.ConditionFalse {
			refused = append(refused, fmt.Sprintf("%s does not accept HTTPRoute %s: %s", parentName(p.ParentRef, f.live), f.key(), words(c)))
			continue
		}
		f.judgeRules(p)
	}
	if len(refused) > 0 && len(refused) == len(f.said) {
		f.reject(strings.Join(refused, "; "))
		return
	}
	for _, message := range refused {
		f.warn("ParentRefused", message)
	}
}

// judgeRules weighs what a controller says of parts of the route. Unless it names something of ours,
// it may be about a rule of the user's.
func (f *findings) judgeRules(p gatewayv1.RouteParentStatus) {
	var wrong []*metav1.Condition
	if c := f.current(p, gatewayv1.RouteConditionResolvedRefs); c != nil && c.Status == metav1.ConditionFalse {
		wrong = append(wrong, c)
	}
	if c := f.current(p, gatewayv1.RouteConditionPartiallyInvalid); c != nil && c.Status == metav1.ConditionTrue {
		wrong = append(wrong, c)
	}
	for _, c := range wrong {
		message := fmt.Sprintf("%s cannot serve all of HTTPRoute %s: %s", parentName(p.ParentRef, f.live), f.key(), words(c))
		if f.concerns(c.Message) {
			f.reject(message)
		} else {
			f.warn("RouteIncomplete", message)
		}
	}
}

// concerns reports whether words are about one of the two sides, or can be about nothing else.
func (f *findings) concerns(text string) bool {
	return len(f.bases()) == len(f.rules()) || strings.Contains(text, f.PrimaryService) || strings.Contains(text, f.CanaryService)
}

// current is a condition that is about the route as it stands.
func (f *findings) current(p gatewayv1.RouteParentStatus, kind gatewayv1.RouteConditionType) *metav1.Condition {
	for i := range p.Conditions {
		if c := &p.Conditions[i]; c.Type == string(kind) && c.ObservedGeneration == f.live.GetGeneration() {
			return c
		}
	}
	return nil
}

// words of a condition; some controllers give a reason only.
func words(c *metav1.Condition) string {
	if c.Message == "" {
		return c.Reason
	}
	return oneLine(c.Reason + ": " + c.Message)
}
