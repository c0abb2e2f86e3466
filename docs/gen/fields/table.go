package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/cmd/serin/implementations"
	"github.com/serin-dev/serin/controllers/canary"
	"github.com/serin-dev/serin/pkg/rollout"
	"github.com/serin-dev/serin/router"
)

// row says of a field with which strategies and routers it has an effect.
type row struct {
	field
	// routers that heed it, by strategy.
	routers map[string][]string
	// told by what: a rollout that went otherwise, a route that did, or the packages that read the field.
	told []string
	// said are the routers with which the operator says that it has no effect, or refuses it; covered
	// are those with which it says so of the analysis as a whole.
	said, covered []string
}

// prober plays each rollout and writes each route once.
type prober struct {
	registry *router.Registry
	built    map[string]router.Router
	code     map[string][]string
	plays    map[string]outcome
	routes   map[string]routing
}

func table() ([]row, error) {
	p := &prober{registry: implementations.Routers(), built: map[string]router.Router{}, plays: map[string]outcome{}, routes: map[string]routing{}}
	for _, name := range p.registry.Names() {
		build, err := p.registry.Get(name)
		if err != nil {
			return nil, err
		}
		if p.built[name], err = newObjects().build(build); err != nil {
			return nil, err
		}
	}
	var err error
	if p.code, err = reads(); err != nil {
		return nil, err
	}
	var rows []row
	for _, f := range fields() {
		r, err := p.row(f)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

func (p *prober) row(f field) (row, error) {
	r := row{field: f, routers: map[string][]string{}}
	for _, name := range p.registry.Names() {
		for _, s := range strategies {
			e, err := p.effect(f, name, s)
			if err != nil {
				return r, fmt.Errorf("%s with %s: %w", f.path, name, err)
			}
			note(&r.said, name, e.said)
			note(&r.covered, name, e.covered)
			note(&r.told, e.by, e.by != "")
			if e.by != "" {
				r.routers[s.name] = append(r.routers[s.name], name)
			}
		}
	}
	p.read(&r)
	return r, nil
}

func note(list *[]string, name string, is bool) {
	if is && !slices.Contains(*list, name) {
		*list = append(*list, name)
	}
}

// effect is what comes of a field with one router and one strategy.
type effect struct {
	// by what it shows; empty where it has no effect.
	by string
	// said: the operator says that it has none, or refuses it. covered: it says so of the analysis as
	// it is anyway, and so of each of its fields.
	said, covered bool
}

func (p *prober) effect(f field, provider string, s strategy) (effect, error) {
	e := effect{covered: strings.HasPrefix(f.path, "analysis.") && p.says(canaryWith(s.analyses[0], provider), provider) != ""}
	weighted := p.built[provider].Features().Weights
	for _, a := range s.analyses {
		plain := canaryWith(a, provider)
		without, with := f.set(plain)
		if !admitted(plain, with) {
			continue
		}
		if p.says(with, provider) != p.says(plain, provider) {
			e.said = true
			continue
		}
		before, after := p.asked(plain, weighted), p.asked(plain, weighted)
		if strings.HasPrefix(f.path, "analysis.") { // the plan hands some of it on unread
			before, after = p.asked(without, weighted), p.asked(with, weighted)
		}
		if slices.Contains(p.readers(f), "pkg/rollout") && p.playsDiffer(without, with, weighted) {
			return effect{by: "plan"}, nil
		}
		was, err := p.route(provider, without, before)
		if err != nil {
			return e, err
		}
		is, err := p.route(provider, with, after)
		if err != nil {
			return e, err
		}
		if was.objects != is.objects {
			return effect{by: "route"}, nil
		}
		e.said = e.said || was.says != is.says
	}
	return e, nil
}

// says is what the operator refuses and ignores.
func (p *prober) says(c *v1beta1.Canary, provider string) string {
	c = c.DeepCopy()
	c.Spec.Provider = provider
	refused, ignored := canary.Check(c, p.built[provider])
	if len(refused)+len(ignored) == 0 {
		return ""
	}
	return encode([]any{refused, ignored})
}

func (p *prober) playsDiffer(without, with *v1beta1.Canary, weighted bool) bool {
	return slices.ContainsFunc(situations, func(s situation) bool {
		return p.play(without, weighted, s).seen != p.play(with, weighted, s).seen
	})
}

// asked is what a rollout that goes well asks of its route.
func (p *prober) asked(c *v1beta1.Canary, weighted bool) []rollout.RouteWish {
	return p.play(c, weighted, situations[0]).route
}

func (p *prober) play(c *v1beta1.Canary, weighted bool, s situation) outcome {
	key := encode([]any{c.Spec, weighted, s.name})
	o, ok := p.plays[key]
	if !ok {
		o = played(c, weighted, s)
		p.plays[key] = o
	}
	return o
}

// route is what a router makes of a Canary and of what is asked of its route. One router may have
// several names.
func (p *prober) route(provider string, c *v1beta1.Canary, wishes []rollout.RouteWish) (routing, error) {
	t := canary.RouteTarget(c)
	key := encode([]any{fmt.Sprintf("%T", p.built[provider]), t, wishes})
	o, ok := p.routes[key]
	if ok {
		return o, nil
	}
	build, err := p.registry.Get(provider)
	if err != nil {
		return o, err
	}
	p.routes[key], err = routed(build, t, wishes)
	return p.routes[key], err
}

// read takes the code's word where a field shows in no rollout and no route: who reads it heeds it, with
// every strategy, and with every router with which the operator does not say otherwise. What the plan
// heeds shows, and so does what a router heeds where there is one that does.
func (p *prober) read(r *row) {
	shown := r.all()
	by := slices.DeleteFunc(p.readers(r.field), func(s string) bool {
		return s == "pkg/rollout" || s == "router" || strings.HasPrefix(s, "router/") || len(shown) > 0 && !strings.HasPrefix(s, "pkg/workload")
	})
	routers := slices.DeleteFunc(p.registry.Names(), func(s string) bool { return slices.Contains(r.said, s) || slices.Contains(shown, s) })
	if len(by) == 0 || len(routers) == 0 {
		return
	}
	r.told = append(r.told, by...)
	for _, s := range strategies {
		r.routers[s.name] = slices.Sorted(slices.Values(append(r.routers[s.name], routers...)))
	}
}

// readers are the packages that read a field where it stands: types are shared, and a field counts
// only where somebody reads all on the way to it.
func (p *prober) readers(f field) []string {
	last := len(f.way) - 1
	by := slices.Clone(p.code[f.way[last].owner])
	for i := range last {
		on := p.code[f.way[i].owner]
		if len(on) == 0 {
			return nil
		}
		if both := slices.DeleteFunc(slices.Clone(by), func(s string) bool { return !slices.Contains(on, s) }); len(both) > 0 {
			by = both
		}
	}
	return by
}

// all routers that heed the field with some strategy.
func (r *row) all() []string {
	var names []string
	for _, s := range slices.Sorted(maps.Keys(r.routers)) {
		names = append(names, r.routers[s]...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func encode(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // a spec was decoded from JSON, or could be
	}
	return string(text)
}
