package translate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/serin-dev/serin/e2e/gateway/gloo"
)

// branch is the way from a VirtualService down to the object whose routes are
// being visited.
type branch struct {
	*flattener
	// top is the report of the VirtualService, report that of the object.
	top, report *report
	table       *gloo.RouteTable // nil for the VirtualService itself
	namespace   string
	parent      *parent
	visited     []gloo.Ref
}

// parent is what a delegating route hands down.
type parent struct {
	route   gloo.Route
	matcher gloo.Matcher
	name    string
	named   bool
}

// fail and warn report on the object, and on the VirtualService above it: the
// owner of the domain has to learn what goes wrong below.
func (b *branch) fail(format string, args ...any) {
	b.report.fail(format, args...)
	if b.table != nil {
		b.top.fail("on sub route table %s: %s", b.table.Ref(), fmt.Sprintf(format, args...))
	}
}

func (b *branch) warn(format string, args ...any) {
	b.report.warn(format, args...)
	if b.table != nil {
		b.top.warn("on sub route table %s: %s", b.table.Ref(), fmt.Sprintf(format, args...))
	}
}

func (b *branch) visit(routes []gloo.Route, prefix string) []gloo.Route {
	var flat []gloo.Route
	for i, r := range routes {
		for _, o := range r.Options.Unknown {
			b.warn("%s", notHonoured("options."+o))
		}
		name, named := b.routeName(r, prefix, i)
		if b.parent != nil {
			merged, err := b.parent.inherit(r)
			if err != nil {
				// Not an error: other tables of the VirtualService go on.
				b.warn("%v", err)
				continue
			}
			r = merged
		}
		if r.DelegateAction != nil {
			flat = append(flat, b.delegate(r, name, named)...)
			continue
		}
		r.Name = ""
		if named {
			r.Name = name
		}
		if leaf, ok := b.leaf(r); ok {
			flat = append(flat, leaf)
		}
	}
	return flat
}

func (b *branch) routeName(r gloo.Route, prefix string, i int) (string, bool) {
	own, named := r.Name, r.Name != ""
	if !named {
		own = fmt.Sprintf("<unnamed-%d>", i)
	}
	return prefix + "_route:" + own, named || (b.parent != nil && b.parent.named)
}

// leaf completes a route that ends here.
func (b *branch) leaf(r gloo.Route) (gloo.Route, bool) {
	if r.RouteAction == nil && r.DirectResponseAction == nil {
		b.fail("invalid route: route must specify an action")
		return r, false
	}
	if len(r.Matchers) == 0 {
		r.Matchers = []gloo.Matcher{{Prefix: "/"}}
	}
	if r.RouteAction != nil {
		r.RouteAction = b.withNamespaces(*r.RouteAction)
		for _, d := range weighted(r.RouteAction) {
			for _, o := range d.Options.Unknown {
				b.warn("%s", notHonoured("destinations.options."+o))
			}
		}
	}
	return r, true
}

// withNamespaces completes Upstreams that are named without their namespace.
func (b *branch) withNamespaces(a gloo.RouteAction) *gloo.RouteAction {
	complete := func(d *gloo.Destination) {
		if d.Upstream != nil && d.Upstream.Namespace == "" {
			d.Upstream = &gloo.Ref{Name: d.Upstream.Name, Namespace: b.namespace}
		}
	}
	if a.Single != nil {
		single := *a.Single
		complete(&single)
		a.Single = &single
	}
	if a.Multi != nil {
		multi := *a.Multi
		multi.Destinations = slices.Clone(multi.Destinations)
		for i := range multi.Destinations {
			complete(&multi.Destinations[i].Destination)
		}
		a.Multi = &multi
	}
	return &a
}

func weighted(a *gloo.RouteAction) []gloo.WeightedDestination {
	if a.Multi == nil {
		return nil
	}
	return a.Multi.Destinations
}

func (b *branch) delegate(r gloo.Route, name string, named bool) []gloo.Route {
	matcher, err := delegateMatcher(r)
	if err != nil {
		b.fail("%v", err)
		return nil
	}
	tables, err := b.tables(r.DelegateAction)
	if err != nil {
		b.warn("%v", err)
		return nil
	}
	p := &parent{route: r, matcher: matcher, name: name, named: named}
	var flat []gloo.Route
	for _, group := range byWeight(tables) {
		var routes []gloo.Route
		for _, rt := range group {
			routes = append(routes, b.descend(rt, p)...)
		}
		// Tables of equal weight have no order of their own, so a longer path
		// of one must not hide behind a shorter path of another.
		if len(group) > 1 {
			sortByPath(routes)
		}
		flat = append(flat, routes...)
	}
	return flat
}

func (b *branch) descend(rt *gloo.RouteTable, p *parent) []gloo.Route {
	next := &branch{
		flattener: b.flattener,
		top:       b.top,
		report:    b.reports.of(rt.ID()),
		table:     rt,
		namespace: rt.Namespace,
		parent:    p,
		visited:   append(slices.Clone(b.visited), rt.Ref()),
	}
	if slices.Contains(b.visited, rt.Ref()) {
		next.fail("invalid route: delegation cycle detected: %s", cycle(next.visited))
		return nil
	}
	if why := b.refusal(rt); why != "" {
		next.fail("%s", why)
		return nil
	}
	return next.visit(rt.Spec.Routes, fmt.Sprintf("%s_rt:%s_%s", p.name, rt.Namespace, rt.Name))
}

func cycle(refs []gloo.Ref) string {
	var steps []string
	for _, r := range refs {
		steps = append(steps, "["+r.String()+"]")
	}
	return strings.Join(steps, " -> ")
}

// delegateMatcher is the one matcher that a delegating route may have. Without
// a path it matches every path, and what else it says is lost, as in Gloo.
func delegateMatcher(r gloo.Route) (gloo.Matcher, error) {
	everything := gloo.Matcher{Prefix: "/"}
	switch {
	case len(r.Matchers) == 0:
		return everything, nil
	case len(r.Matchers) > 1:
		return gloo.Matcher{}, errors.New("invalid route: routes with delegate actions must omit or specify a single matcher")
	case !r.Matchers[0].HasPath():
		return everything, nil
	case r.Matchers[0].Prefix == "":
		return gloo.Matcher{}, errors.New("invalid route: routes with delegate actions must use a prefix matcher")
	}
	return r.Matchers[0], nil
}

// tables finds the RouteTables that a route delegates to.
func (b *branch) tables(d *gloo.DelegateAction) ([]*gloo.RouteTable, error) {
	if ref := d.Target(); ref != nil {
		i := slices.IndexFunc(b.world.RouteTables, func(rt *gloo.RouteTable) bool { return rt.Ref() == *ref })
		if i < 0 {
			return nil, fmt.Errorf("route table %s missing", ref)
		}
		return b.world.RouteTables[i : i+1], nil
	}
	if d.Selector == nil {
		return nil, errors.New("cannot determine delegation target: you must specify a route table " +
			"either via a resource reference or a selector")
	}
	found := b.selected(d.Selector)
	if len(found) == 0 {
		return nil, errors.New("no route table matches the given selector")
	}
	return found, nil
}

func (b *branch) selected(s *gloo.Selector) []*gloo.RouteTable {
	namespaces := s.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{b.namespace}
	}
	selector := labels.SelectorFromSet(s.Labels)
	var found []*gloo.RouteTable
	for _, rt := range b.world.RouteTables {
		here := slices.Contains(namespaces, rt.Namespace) || slices.Contains(namespaces, "*")
		if here && selector.Matches(labels.Set(rt.Labels)) {
			found = append(found, rt)
		}
	}
	return found
}
