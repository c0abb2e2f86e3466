package main

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/cmd/serin/implementations"
	"github.com/serin-dev/serin/controllers/canary"
	"github.com/serin-dev/serin/router"
)

// row says of a field with which strategies and routers it has an effect.
type row struct {
	field
	// routers that heed it, by strategy.
	routers map[string][]string
	// told by what: a rollout that went otherwise, a route that did, or the packages that read the field.
	told []string
	// said are the routers with which the operator says that it has no effect, or refuses it.
	said []string
}

// prober plays each rollout and writes each route once.
type prober struct {
	registry *router.Registry
	built    map[string]router.Router
	code     map[string][]string
	plays    map[string]outcome
	routes   map[string]string
}

func table() ([]row, error) {
	p := &prober{registry: implementations.Routers(), built: map[string]router.Router{}, plays: map[string]outcome{}, routes: map[string]string{}}
	for _, name := range p.registry.Names() {
		build, err := p.registry.Get(name)
		if err != nil {
			return nil, err
		}
		if p.built[name], err = build(newObjects()); err != nil {
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
			by, said, err := p.effect(f, name, s)
			if err != nil {
				return r, err
			}
			if said && !slices.Contains(r.said, name) {
				r.said = append(r.said, name)
			}
			if by == "" {
				continue
			}
			r.routers[s.name] = append(r.routers[s.name], name)
			if !slices.Contains(r.told, by) {
				r.told = append(r.told, by)
			}
		}
	}
	if len(r.told) == 0 {
		p.read(&r)
	}
	return r, nil
}

// effect says by what a field shows with a router and a strategy, and whether the operator says that
// it does not.
func (p *prober) effect(f field, provider string, s strategy) (by string, said bool, err error) {
	weighted := p.built[provider].Features().Weights
	for _, a := range s.analyses {
		plain := canaryWith(a, provider)
		without, with := f.set(plain)
		if !admitted(without, with) {
			continue
		}
		if p.says(with, provider) != p.says(plain, provider) {
			said = true
			continue
		}
		if p.playsDiffer(f, without, with, weighted) {
			return "plan", false, nil
		}
		before, err := p.route(provider, without, weighted)
		if err != nil {
			return "", false, err
		}
		after, err := p.route(provider, with, weighted)
		if err != nil {
			return "", false, err
		}
		if before != after {
			return "route", false, nil
		}
	}
	return "", said, nil
}

// says is what the operator refuses and ignores.
func (p *prober) says(c *v1beta1.Canary, provider string) string {
	c = c.DeepCopy()
	c.Spec.Provider = provider
	refused, ignored := canary.Check(c, p.built[provider])
	return encode([]any{refused, ignored})
}

// playsDiffer plays only what the plan reads.
func (p *prober) playsDiffer(f field, without, with *v1beta1.Canary, weighted bool) bool {
	if !slices.Contains(p.readers(f), "pkg/rollout") {
		return false
	}
	return slices.ContainsFunc(situations, func(s situation) bool {
		return p.play(without, weighted, s).seen != p.play(with, weighted, s).seen
	})
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

func (p *prober) route(provider string, c *v1beta1.Canary, weighted bool) (string, error) {
	wishes, t := p.play(c, weighted, situations[0]).route, canary.RouteTarget(c)
	key := encode([]any{provider, t, wishes})
	o, ok := p.routes[key]
	if !ok {
		var err error
		if o, err = routed(p.registry, provider, t, wishes); err != nil {
			return "", err
		}
		p.routes[key] = o
	}
	return o, nil
}

// read takes the code's word for a field that shows in no rollout and no route: who reads it heeds
// it, with every strategy, and with every router with which the operator does not say otherwise. The
// plan's word is not enough: what it heeds shows.
func (p *prober) read(r *row) {
	by := slices.DeleteFunc(p.readers(r.field), func(s string) bool { return s == "pkg/rollout" })
	routers := slices.DeleteFunc(p.registry.Names(), func(s string) bool { return slices.Contains(r.said, s) })
	if len(by) == 0 || len(routers) == 0 {
		return
	}
	r.told = by
	for _, s := range strategies {
		r.routers[s.name] = routers
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
