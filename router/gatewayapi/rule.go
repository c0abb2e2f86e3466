package gatewayapi

import (
	"maps"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
)

// rule is one rule of a live route, with all that users put on it; backend is one of its backendRefs.
type (
	rule    map[string]any
	backend map[string]any
)

// backends lists where the rule sends to.
func (r rule) backends() []backend {
	list, _ := r["backendRefs"].([]any)
	found := make([]backend, 0, len(list))
	for _, b := range list {
		if m, ok := b.(map[string]any); ok {
			found = append(found, m)
		}
	}
	return found
}

func (r rule) setBackends(list []backend) {
	refs := make([]any, len(list))
	for i, b := range list {
		refs[i] = map[string]any(b)
	}
	r["backendRefs"] = refs
}

// maxWeight bounds what is read, so that sums fit. It is the API's own limit.
const maxWeight = 1_000_000

// weight of a backend; where there is none it is 1, as in the API.
func (b backend) weight() int32 {
	n, ok := b["weight"].(int64)
	if !ok {
		return 1
	}
	return int32(max(0, min(n, maxWeight)))
}

func (b backend) weighing(weight int32) backend {
	b = maps.Clone(b)
	b["weight"] = int64(weight)
	return b
}

// toService returns the backend with another Service as its destination; its filters stay.
func (b backend) toService(name string, port int32) backend {
	b = maps.Clone(b)
	if b == nil {
		b = backend{}
	}
	delete(b, "namespace")
	b["group"], b["kind"], b["name"], b["port"] = "", "Service", name, int64(port)
	return b
}

// to returns the backend with a side as its destination.
func (n names) to(b backend, s side) backend { return b.toService(n.service(s), n.Port) }

// sends reports whether a rule sends to one of the two sides.
func (n names) sends(r rule) bool {
	for _, b := range r.backends() {
		if _, ok := n.sideOf(b); ok {
			return true
		}
	}
	return false
}

// sendsToApex reports whether all of a rule's traffic goes to the apex Service.
func (n names) sendsToApex(r rule) bool {
	for _, b := range r.backends() {
		if !n.isApex(b) {
			return false
		}
	}
	return len(r.backends()) > 0
}

// weights are the two sides' as they stand: tenths where they sum to 1000, percents otherwise. Somebody's
// edit can make them sum to anything. One backend alone has everything, whatever its weight.
func (n names) weights(r rule) router.Weights {
	var w router.Weights
	list := r.backends()
	for _, b := range list {
		switch s, ok := n.sideOf(b); {
		case !ok:
		case s == canary:
			w.Canary += v1beta1.Weight(b.weight())
		default:
			w.Primary += v1beta1.Weight(b.weight())
		}
	}
	switch {
	case len(list) == 1 && w.Canary > 0:
		return router.Split(v1beta1.FullWeight)
	case len(list) == 1 && w.Primary > 0:
		return router.Split(0)
	case w.Primary+w.Canary == v1beta1.FullWeight:
		return w
	}
	return router.Weights{Primary: w.Primary * 10, Canary: w.Canary * 10}
}

// written are the weights as they are put on the route: whole percents where that is exact.
func written(w router.Weights) map[side]int32 {
	if w.Primary%10 == 0 && w.Canary%10 == 0 {
		return map[side]int32{primary: int32(w.Primary / 10), canary: int32(w.Canary / 10)}
	}
	return map[side]int32{primary: int32(w.Primary), canary: int32(w.Canary)}
}

// reweigh makes the rule send to both sides with these weights. The filters of each backend and other
// backends stay; a second one of the same side goes.
func (n names) reweigh(r rule, w router.Weights) {
	missing := written(w)
	var list []backend
	for _, b := range r.backends() {
		s, ok := n.sideOf(b)
		if !ok {
			list = append(list, b)
			continue
		}
		if weight, first := missing[s]; first {
			list = append(list, b.weighing(weight))
			delete(missing, s)
		}
	}
	for _, s := range sides {
		if weight, ok := missing[s]; ok {
			list = append(list, n.to(nil, s).weighing(weight))
		}
	}
	r.setBackends(list)
}

// retarget makes the rule name the target's port.
func (n names) retarget(r rule) {
	list := r.backends()
	for i, b := range list {
		if s, ok := n.sideOf(b); ok {
			list[i] = n.to(b, s)
		}
	}
	r.setBackends(list)
}
