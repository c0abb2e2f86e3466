package gatewayapi

import (
	"context"
	"maps"

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
		r.setBackends([]backend{rt.primaryOf(r).toService(rt.Apex, rt.Port).weighing(1)})
	}
}

// primaryOf is the rule's backend for the primary, whose filters the apex Service gets.
func (n names) primaryOf(r rule) backend {
	for _, b := range r.backends() {
		if s, ok := n.sideOf(b); ok && s == primary {
			return maps.Clone(b)
		}
	}
	return nil
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
