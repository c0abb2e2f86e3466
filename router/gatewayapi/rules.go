package gatewayapi

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/internal/object"
)

// Rules of an analysis stand beside the weights in two ways. Before each base there are copies of it
// for the requests that match or bring a cookie, with all its filters, and the base itself carries
// the mirror and the cookies.

// rulesAnnotation keeps the rules that the route was last written with, as JSON. With them, what
// stands can be compared with what they ask for: a digest alone would not show an edit.
const rulesAnnotation = "serin.dev/rules"

// editedRules is State.Rules where the route is not what the kept rules make of it. It is no digest.
const editedRules = "edited"

// pickedWeight is the weight of the one backend of a rule that picks requests. One alone needs no weight,
// so it serves as the mark by which such a rule is known again. A name would say more; but CRDs before
// Gateway API 1.4 do not know it.
const pickedWeight = 101

// picks tells the rules that pick requests from the bases.
func (n names) picks(r rule) bool {
	list := r.backends()
	return len(list) == 1 && list[0].weight() == pickedWeight && n.sends(r)
}

// rule makes the route follow the rules, whatever it followed before.
func (rt *route) rule(rules v1beta1.RouteRules) error {
	w, err := rt.wording(rules)
	if err != nil {
		return err
	}
	var all []any
	for _, r := range rt.rules() {
		switch {
		case rt.picks(r):
			continue
		case rt.sends(r):
			before, err := w.apply(r)
			if err != nil {
				return err
			}
			all = append(all, before...)
		}
		all = append(all, map[string]any(r))
	}
	if err := rt.within(all); err != nil {
		return err
	}
	if err := unstructured.SetNestedSlice(rt.wanted.Object, all, "spec", "rules"); err != nil {
		return fmt.Errorf("write the rules of HTTPRoute %s: %w", rt.key(), err)
	}
	return rt.keep(rules)
}

// The API's limits.
const (
	mostRules       = 16
	mostRuleMatches = 64
	mostMatches     = 128
)

// within refuses more rules and matches than a route can have.
func (rt *route) within(all []any) error {
	total, most := 0, 0
	for _, item := range all {
		r, _ := item.(map[string]any)
		matches, _ := r["matches"].([]any)
		total += len(matches)
		most = max(most, len(matches))
	}
	if len(all) <= mostRules && most <= mostRuleMatches && total <= mostMatches {
		return nil
	}
	return &router.NotReady{Problem: router.Problem{
		Reason: "TooManyMatches",
		Message: fmt.Sprintf("with the rules of the analysis HTTPRoute %s would have %d rules with %d matches, up to %d in one; %d, %d and %d are the most. "+
			"Each match of the route is written for each entry of analysis.match and each cookie: have fewer of them",
			rt.key(), len(all), total, most, mostRules, mostMatches, mostRuleMatches),
	}}
}

// keep notes the rules on the route, and nothing where there are none.
func (rt *route) keep(rules v1beta1.RouteRules) error {
	if rules.Empty() {
		object.RemoveAnnotations(rt.wanted, rulesAnnotation)
		return nil
	}
	note, err := json.Marshal(rules)
	if err != nil {
		return fmt.Errorf("keep the rules of HTTPRoute %s: %w", rt.key(), err)
	}
	object.SetAnnotations(rt.wanted, map[string]string{rulesAnnotation: string(note)})
	return nil
}

// noted are the rules that the route was last written with.
func (rt *route) noted() (rules v1beta1.RouteRules, err error) {
	if note, ok := rt.live.GetAnnotations()[rulesAnnotation]; ok {
		err = json.Unmarshal([]byte(note), &rules)
	}
	return rules, err
}

// standing names the rules that the route follows: those that were noted, where writing them again
// would change nothing.
func (rt *route) standing() string {
	rules, err := rt.noted()
	if err != nil {
		return editedRules
	}
	again := &route{names: rt.names, live: rt.live, wanted: rt.live.DeepCopy()}
	if err := again.rule(rules); err != nil || again.changed() {
		return editedRules
	}
	return rules.Digest()
}

// wording is the rules in an HTTPRoute's words.
type wording struct {
	names
	route    string
	matched  []condition
	mirror   map[string]any
	affinity *v1beta1.Affinity
	// cookies are the Set-Cookie headers of the two sides, and names those under which rules of this
	// route set or have set any.
	cookies     map[side]string
	cookieNames []string
}

func (rt *route) wording(rules v1beta1.RouteRules) (*wording, error) {
	w := &wording{names: rt.names, route: rt.key(), affinity: rules.Affinity, mirror: rt.mirrorOf(rules.Mirror)}
	for i, m := range rules.Match {
		conditions, err := conditionsOf(m)
		if err != nil {
			return nil, inexpressible(fmt.Sprintf("entry %d of analysis.match: %v", i, err))
		}
		w.matched = append(w.matched, conditions...)
	}
	onPrimary, onCanary, err := router.Cookies(rules.Affinity)
	if err != nil {
		return nil, err
	}
	w.cookies = map[side]string{primary: onPrimary, canary: onCanary}
	before, _ := rt.noted() // of an unreadable note there is nothing to take back
	for _, a := range []*v1beta1.Affinity{before.Affinity, rules.Affinity} {
		if a != nil {
			w.cookieNames = append(w.cookieNames, a.CookieName, a.PrimaryCookieName)
		}
	}
	return w, nil
}

// apply makes a base carry the rules, and returns the rules that belong before it. What is picked for
// the canary is not copied to it as well.
func (w *wording) apply(r rule) ([]any, error) {
	w.strip(r)
	before, err := w.picking(r, canary, w.matched)
	if err != nil || w.affinity == nil {
		w.addMirror(r)
		return before, err
	}
	kept, err := w.keeping(r, canary, w.affinity.CookieName, w.affinity.CanaryValue)
	if err != nil {
		return nil, err
	}
	before = append(before, kept...)
	w.addMirror(r)
	if w.affinity.PrimaryValue != "" {
		kept, err := w.keeping(r, primary, w.affinity.PrimaryCookieName, w.affinity.PrimaryValue)
		if err != nil {
			return nil, err
		}
		before = append(before, kept...)
	}
	return before, w.addCookies(r)
}

// keeping are the rules for those who bring a side's cookie.
func (w *wording) keeping(r rule, s side, cookie, value string) ([]any, error) {
	conditions, err := holding(cookie, value)
	if err != nil {
		return nil, err
	}
	return w.picking(r, s, conditions)
}

// picking are copies of a base for the requests that meet one of the conditions, which all go to one
// side. A rule that replaces a prefix of the path can have one match only.
func (w *wording) picking(r rule, s side, conditions []condition) ([]any, error) {
	matches, err := narrowed(r, conditions)
	if err != nil {
		return nil, inexpressible(fmt.Sprintf("the analysis and HTTPRoute %s together: %v", w.route, err))
	}
	var made []any
	for len(matches) > 0 {
		n := len(matches)
		if r.replacesPrefix() {
			n = 1
		}
		made = append(made, w.pick(r, s, matches[:n]))
		matches = matches[n:]
	}
	return made, nil
}

func (w *wording) pick(r rule, s side, matches []any) map[string]any {
	made := rule(runtime.DeepCopyJSON(r))
	delete(made, "name") // is unique in a route
	made["matches"] = matches
	made.setBackends([]backend{w.backendOf(made, s).weighing(pickedWeight)})
	return made
}

// backendOf is the rule's backend of a side.
func (n names) backendOf(r rule, s side) backend {
	for _, b := range r.backends() {
		if found, ok := n.sideOf(b); ok && found == s {
			return b
		}
	}
	return n.to(nil, s)
}
