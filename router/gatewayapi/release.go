package gatewayapi

import (
	"context"

	"k8s.io/apimachinery/pkg/util/json"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/internal/object"
)

// Release turns every base back to the apex Service, by the backends it had before adoption where
// those still lead there, and takes our marks off. The route stays: it serves. Nothing else is ours
// to remove.
func (r *Router) Release(ctx context.Context, t router.Target) error {
	rt, err := r.route(ctx, t)
	if err != nil || !rt.exists() || rt.taken() != nil {
		return err
	}
	if err := rt.rule(v1beta1.RouteRules{}); err != nil {
		return err
	}
	rt.handBack()
	object.RemoveLabels(rt.wanted, v1beta1.CanaryLabel)
	object.RemoveAnnotations(rt.wanted, v1beta1.TransitionAnnotation, originalAnnotation, generatedAnnotation)
	return r.save(ctx, rt)
}

func (rt *route) handBack() {
	bases := rt.bases()
	originals := rt.originals(len(bases))
	for i, r := range bases {
		if originals != nil {
			r["backendRefs"] = originals[i]
			continue
		}
		// The apex Service gets the filters that the primary has.
		r.setBackends([]backend{rt.backendOf(r, primary).toService(rt.Apex, rt.Port).weighing(1)})
	}
}

// originals returns the backends that adoption replaced, or nil where they cannot be told apart any
// more or some of them no longer lead to the apex Service. A note that is unreadable is as good as none.
func (rt *route) originals(rules int) []any {
	var kept []any
	if err := json.Unmarshal([]byte(rt.live.GetAnnotations()[originalAnnotation]), &kept); err != nil || len(kept) != rules {
		return nil
	}
	for _, backends := range kept {
		if !rt.sendsToApex(rule{"backendRefs": backends}) {
			return nil
		}
	}
	return kept
}
