package gloo

import (
	"maps"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/gloo/api"
)

// route is one route of a live table, with all that users put on it.
type route map[string]any

// entries lists the route's destinations with their weights. A single one has all of it.
func (r route) entries() []map[string]any {
	action, _ := r["routeAction"].(map[string]any)
	if single, ok := action["single"].(map[string]any); ok {
		return []map[string]any{{"destination": single, "weight": int64(100)}}
	}
	multi, _ := action["multi"].(map[string]any)
	list, _ := multi["destinations"].([]any)
	found := make([]map[string]any, 0, len(list))
	for _, e := range list {
		if entry, ok := e.(map[string]any); ok {
			found = append(found, entry)
		}
	}
	return found
}

// setEntries makes the route a weighted one. Its other fields stay.
func (r route) setEntries(entries []map[string]any) {
	list := make([]any, len(entries))
	for i, e := range entries {
		list[i] = e
	}
	action := cloned(r["routeAction"])
	multi := cloned(action["multi"])
	multi["destinations"] = list
	action["multi"] = multi
	delete(action, "single")
	r["routeAction"] = action
}

// cloned returns a copy of the top level of an object, empty when there is none.
func cloned(v any) map[string]any {
	if m, ok := v.(map[string]any); ok && m != nil {
		return maps.Clone(m)
	}
	return map[string]any{}
}

// upstreamOf returns the Upstream that an entry names; without a namespace it is in the table's.
func upstreamOf(entry map[string]any, tableNamespace string) (api.ResourceRef, bool) {
	destination, _ := entry["destination"].(map[string]any)
	ref, ok := destination["upstream"].(map[string]any)
	if !ok {
		return api.ResourceRef{}, false
	}
	return refOf(ref, tableNamespace), true
}

func refOf(ref map[string]any, defaultNamespace string) api.ResourceRef {
	name, _ := ref["name"].(string)
	namespace, _ := ref["namespace"].(string)
	if namespace == "" {
		namespace = defaultNamespace
	}
	return api.ResourceRef{Name: name, Namespace: namespace}
}

// entrySide tells which side of the target an entry sends to, if any.
func (n names) entrySide(entry map[string]any) (side, bool) {
	ref, ok := upstreamOf(entry, n.Canary.Namespace)
	if !ok {
		return "", false
	}
	return n.refSide(ref)
}

// refSide tells which side's Upstream a reference names, if any.
func (n names) refSide(ref api.ResourceRef) (side, bool) {
	if ref.Namespace != n.Canary.Namespace {
		return "", false
	}
	return n.sideOf(ref.Name)
}

// ours reports whether a route shares requests between the two sides.
func (n names) ours(r route) bool { return n.sends(r) && !n.ofRule(r) }

// sends reports whether a route sends to one of the two sides.
func (n names) sends(r route) bool {
	for _, e := range r.entries() {
		if _, ok := n.entrySide(e); ok {
			return true
		}
	}
	return false
}

// weights are the two sides' as they stand: tenths where they sum to 1000, percents otherwise. Somebody's
// edit can make them sum to anything.
func (n names) weights(r route) router.Weights {
	var w router.Weights
	for _, e := range r.entries() {
		switch s, ok := n.entrySide(e); {
		case !ok:
		case s == canary:
			w.Canary += v1beta1.Weight(weightOf(e))
		default:
			w.Primary += v1beta1.Weight(weightOf(e))
		}
	}
	if w.Primary+w.Canary == v1beta1.FullWeight {
		return w
	}
	return router.Weights{Primary: w.Primary * 10, Canary: w.Canary * 10}
}

// written are the weights as they are put on the route: whole percents where that is exact.
func written(w router.Weights) (primary, canary int32) {
	if w.Primary%10 == 0 && w.Canary%10 == 0 {
		return int32(w.Primary / 10), int32(w.Canary / 10)
	}
	return int32(w.Primary), int32(w.Canary)
}

// maxWeight bounds what is read, so that sums fit: Gloo's weights have 32 bits each.
const maxWeight = 1_000_000

// weightOf reads a weight; where there is none it is 0.
func weightOf(entry map[string]any) int32 {
	n, _ := entry["weight"].(int64)
	return int32(max(0, min(n, maxWeight)))
}

// reweigh makes the route send to both sides with these weights. Which Upstreams it names, the options
// of each destination and destinations of others stay; a second one of the same side goes.
func (n names) reweigh(r route, w router.Weights) {
	missing := map[side]int32{}
	missing[primary], missing[canary] = written(w)
	var entries []map[string]any
	for _, e := range r.entries() {
		s, ok := n.entrySide(e)
		if !ok {
			entries = append(entries, e)
			continue
		}
		if weight, first := missing[s]; first {
			entries = append(entries, withWeight(e, weight))
			delete(missing, s)
		}
	}
	for _, s := range sides {
		if weight, ok := missing[s]; ok {
			entries = append(entries, n.pointed(withWeight(nil, weight), s))
		}
	}
	r.setEntries(entries)
}

// retarget makes the route name the Upstreams of the target's port.
func (n names) retarget(r route) {
	entries := r.entries()
	for i, e := range entries {
		if s, ok := n.entrySide(e); ok {
			entries[i] = n.pointed(e, s)
		}
	}
	r.setEntries(entries)
}

func withWeight(entry map[string]any, weight int32) map[string]any {
	entry = cloned(entry)
	entry["weight"] = int64(weight)
	return entry
}

// pointed returns the entry with a side as its destination. How that is called (a function of a gRPC
// or REST service) and the entry's options stay.
func (n names) pointed(entry map[string]any, s side) map[string]any {
	entry = cloned(entry)
	destination := cloned(entry["destination"])
	delete(destination, "kube")
	destination["upstream"] = n.reference(s)
	entry["destination"] = destination
	return entry
}

// reference names the Upstream of a side.
func (n names) reference(s side) map[string]any {
	return map[string]any{"name": n.upstream(s), "namespace": n.Canary.Namespace}
}
