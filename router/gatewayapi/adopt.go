package gatewayapi

import (
	"encoding/json"
	"fmt"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/internal/object"
)

// originalAnnotation keeps, in the order of the rules, the backends that adoption replaced.
const originalAnnotation = "serin.dev/original-route"

// adopt turns the rules of a user's route that send to the apex Service into bases at 100/0. Matches,
// filters and timeouts stay, so do rules that send elsewhere. A route without any such rule is left
// alone: what it is for cannot be guessed. Rules that pick requests go with the base that they are for.
func (rt *route) adopt() error {
	if err := rt.rule(v1beta1.RouteRules{}); err != nil {
		return err
	}
	var originals []any
	for _, r := range rt.rules() {
		if !rt.sendsToApex(r) {
			continue
		}
		originals = append(originals, r["backendRefs"])
		from := r.backends()[0]
		r.setBackends([]backend{rt.to(from, primary).weighing(100), rt.to(from, canary).weighing(0)})
	}
	if len(originals) == 0 {
		return &router.NotReady{Problem: router.Problem{
			Reason: "RouteNotOurs",
			Message: fmt.Sprintf("HTTPRoute %s exists and none of its rules sends only to Service %s port %d, so none is Serin's to split. "+
				"Point the rule that is to be split at that Service, or rename the route and let Serin create its own from spec.service.gatewayRefs",
				rt.key(), rt.Apex, rt.Port),
		}}
	}
	kept, err := json.Marshal(originals)
	if err != nil {
		return fmt.Errorf("keep the backends of HTTPRoute %s: %w", rt.key(), err)
	}
	object.SetAnnotations(rt.wanted, map[string]string{originalAnnotation: string(kept)})
	return nil
}
