package gloo

import (
	"encoding/json"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/internal/object"
)

// Rules stand beside the weights in two ways. Each route of ours gets routes before it that pick
// requests, and it carries the mirror and the cookies itself. The routes are copies of the one that
// they stand before, with all its options, so that a request meets the same timeouts on both ways.

// rulesAnnotation keeps the rules that the table was last written with, as JSON. With them, what
// stands can be compared with what they ask for: a digest alone would not show an edit.
const rulesAnnotation = "serin.dev/rules"

// editedRules is State.Rules where the table is not what the kept rules make of it. It is no digest.
const editedRules = "edited"

// The names by which the routes of rules are known again, in the order in which they stand.
const (
	matchRoute         = "serin-match"
	canaryCookieRoute  = "serin-canary-cookie"
	primaryCookieRoute = "serin-primary-cookie"
)

// ofRule tells the routes that rules add from those that have weights.
func (n names) ofRule(r route) bool {
	name, _ := r["name"].(string)
	return slices.Contains([]string{matchRoute, canaryCookieRoute, primaryCookieRoute}, name) && n.sends(r)
}

// rule makes the table follow the rules, whatever it followed before.
func (tb *table) rule(rules v1beta1.RouteRules) error {
	w, err := tb.wording(rules)
	if err != nil {
		return err
	}
	list, _, _ := unstructured.NestedFieldNoCopy(tb.wanted.Object, "spec", "routes")
	all, _ := list.([]any)
	var routes []any
	for _, item := range all {
		fields, _ := item.(map[string]any)
		switch r := route(fields); {
		case tb.ofRule(r):
			continue
		case tb.names.ours(r):
			before, err := w.apply(r)
			if err != nil {
				return err
			}
			routes = append(routes, before...)
		}
		routes = append(routes, item)
	}
	if len(routes) > 0 || len(all) > 0 {
		if err := unstructured.SetNestedSlice(tb.wanted.Object, routes, "spec", "routes"); err != nil {
			return fmt.Errorf("write the rules of RouteTable %s: %w", tb.key(), err)
		}
	}
	return tb.keep(rules)
}

// keep notes the rules on the table, and nothing where there are none.
func (tb *table) keep(rules v1beta1.RouteRules) error {
	if rules.Empty() {
		object.RemoveAnnotations(tb.wanted, rulesAnnotation)
		return nil
	}
	note, err := json.Marshal(rules)
	if err != nil {
		return fmt.Errorf("keep the rules of RouteTable %s: %w", tb.key(), err)
	}
	object.SetAnnotations(tb.wanted, map[string]string{rulesAnnotation: string(note)})
	return nil
}

// notedOn are the rules that a table was last written with.
func notedOn(u *unstructured.Unstructured) (v1beta1.RouteRules, error) {
	var rules v1beta1.RouteRules
	note, ok := u.GetAnnotations()[rulesAnnotation]
	if !ok {
		return rules, nil
	}
	err := json.Unmarshal([]byte(note), &rules)
	return rules, err
}

// standing names the rules that the table follows: those that were noted, where writing them again
// would change nothing.
func (tb *table) standing() string {
	rules, err := notedOn(tb.live)
	if err != nil {
		return editedRules
	}
	again := &table{names: tb.names, live: tb.live, wanted: tb.live.DeepCopy()}
	if err := again.rule(rules); err != nil || again.changed() {
		return editedRules
	}
	return rules.Digest()
}

// wording is the rules in Gloo's words.
type wording struct {
	names
	table   string
	matches []condition
	// copies is the percentage of requests that the canary gets copies of; nil without.
	copies any
	// cookies are the Set-Cookie headers of the two sides, and names those under which rules of this
	// table set or have set any.
	cookies     map[side]string
	cookieNames []string
	affinity    *v1beta1.Affinity
}

func (tb *table) wording(rules v1beta1.RouteRules) (*wording, error) {
	w := &wording{names: tb.names, table: tb.key(), affinity: rules.Affinity}
	for i, m := range rules.Match {
		c, err := conditionOf(m)
		if err != nil {
			return nil, &router.NotReady{Problem: router.Problem{
				Reason:  "InvalidMatch",
				Message: fmt.Sprintf("entry %d of analysis.match is not for Envoy, which would refuse all routes with it: %v", i, err),
			}}
		}
		w.matches = append(w.matches, c)
	}
	if rules.Mirror > 0 {
		w.copies = number(rules.Mirror)
	}
	onPrimary, onCanary, err := router.Cookies(rules.Affinity)
	if err != nil {
		return nil, err
	}
	w.cookies = map[side]string{primary: onPrimary, canary: onCanary}
	before, _ := notedOn(tb.live) // of an unreadable note there is nothing to take back
	for _, a := range []*v1beta1.Affinity{before.Affinity, rules.Affinity} {
		if a != nil {
			w.cookieNames = append(w.cookieNames, a.CookieName, a.PrimaryCookieName)
		}
	}
	return w, nil
}

// number is how a share of percents comes back from the API server: whole ones without a fraction.
func number(w v1beta1.Weight) any {
	if w%10 == 0 {
		return int64(w / 10)
	}
	return w.Percent()
}

// apply makes a route of ours carry the rules, and returns the routes that belong before it.
func (w *wording) apply(r route) ([]any, error) {
	w.strip(r)
	if w.copies != nil && r.options()["shadowing"] != nil {
		return nil, &router.NotReady{Problem: router.Problem{
			Reason: "ShadowingTaken",
			Message: fmt.Sprintf("the route of RouteTable %s already copies its requests elsewhere (options.shadowing), and a route can do that once: "+
				"remove it, or take mirror out of the canary's analysis", w.table),
		}}
	}
	var before []any
	if len(w.matches) > 0 {
		before = append(before, w.picking(r, matchRoute, canary, w.matches))
	}
	if w.affinity != nil {
		before = append(before, w.picking(r, canaryCookieRoute, canary, holding(w.affinity.CookieName, w.affinity.CanaryValue)))
	}
	w.mirror(r)
	if w.affinity != nil && w.affinity.PrimaryValue != "" {
		before = append(before, w.picking(r, primaryCookieRoute, primary, holding(w.affinity.PrimaryCookieName, w.affinity.PrimaryValue)))
	}
	w.mark(r)
	return before, nil
}

// picking is a copy of a route of ours for the requests that meet a condition. All of them go to one
// side, as its share of the others does: by the same destination with the same options.
func (w *wording) picking(r route, name string, s side, conditions []condition) map[string]any {
	made := route(runtime.DeepCopyJSON(r))
	made["name"] = name
	made["matchers"] = narrowed(made, conditions)
	made.setEntries([]map[string]any{withWeight(w.entryOf(made, s), fullPercent)})
	return made
}

const fullPercent = 100

// entryOf is the route's destination on a side.
func (n names) entryOf(r route, s side) map[string]any {
	for _, e := range r.entries() {
		if found, ok := n.entrySide(e); ok && found == s {
			return e
		}
	}
	return n.pointed(nil, s)
}

// mirror makes the route copy requests to where it sends the canary's share: which Upstream that is, is
// Ensure's. A shadowing that the route inherits from the one that delegates to the table rests meanwhile.
func (w *wording) mirror(r route) {
	if w.copies == nil {
		return
	}
	ref, _ := upstreamOf(w.entryOf(r, canary), w.Canary.Namespace)
	options := cloned(r["options"])
	options["shadowing"] = map[string]any{
		"upstream":   map[string]any{"name": ref.Name, "namespace": ref.Namespace},
		"percentage": w.copies,
	}
	r["options"] = options
}

// mark makes each side's answers set its cookie.
func (w *wording) mark(r route) {
	for _, e := range r.entries() {
		if s, ok := w.entrySide(e); ok && w.cookies[s] != "" {
			addCookie(e, w.cookies[s])
		}
	}
}

// strip takes off what rules put on a route of ours: copies to an Upstream of ours, and cookies.
func (w *wording) strip(r route) {
	shadow, _ := r.options()["shadowing"].(map[string]any)
	if ref, ok := shadow["upstream"].(map[string]any); ok {
		if _, ours := w.refSide(refOf(ref, w.Canary.Namespace)); ours {
			drop(r, "options", "shadowing")
		}
	}
	for _, e := range r.entries() {
		if _, ok := w.entrySide(e); ok {
			removeCookies(e, w.cookieNames)
		}
	}
}

func (r route) options() map[string]any {
	options, _ := r["options"].(map[string]any)
	return options
}

// drop removes a field below a chain of objects, and those of them that it leaves empty.
func drop(object map[string]any, path ...string) {
	unstructured.RemoveNestedField(object, path...)
	for n := len(path) - 1; n > 0; n-- {
		above, _, _ := unstructured.NestedFieldNoCopy(object, path[:n]...)
		if left, ok := above.(map[string]any); !ok || len(left) > 0 {
			return
		}
		unstructured.RemoveNestedField(object, path[:n]...)
	}
}
