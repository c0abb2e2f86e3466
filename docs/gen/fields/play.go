package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/analysis"
	"github.com/serin-dev/serin/pkg/rollout"
)

// situation is what a rollout meets. Most fields show in one of them only.
type situation struct {
	name string
	// value of every metric, and whether hooks say yes.
	value float64
	yes   bool
	// noData: no metric has a value.
	noData bool
	// shortCanary and shortPrimary are a pod short of what they are asked for.
	shortCanary, shortPrimary bool
	// back: after the promotion the template is put back to what served before.
	back bool
}

var situations = []situation{
	{name: "all is well", value: 99.8, yes: true},
	{name: "checks fail", value: 90, yes: true},
	{name: "no evidence", noData: true, yes: true},
	{name: "hooks say no", value: 99.8},
	{name: "the canary is short of a pod", value: 99.8, yes: true, shortCanary: true},
	{name: "the primary is short of a pod", value: 99.8, yes: true, shortPrimary: true},
	{name: "back to what served before", value: 99.8, yes: true, back: true},
}

// play is a rollout through the plan, in a cluster that does at once what it is asked for.
type play struct {
	situation
	c        *v1beta1.Canary
	weighted bool

	now     time.Time
	target  rollout.Target
	primary rollout.Workload
	canary  rollout.Workload
	apex    rollout.Apex
	route   rollout.Route
	answers map[string]rollout.Answer
	served  []rollout.Snapshot

	seen  strings.Builder
	last  string
	wants []rollout.RouteWish
}

const maxTurns = 400

// outcome is what a play showed: all that was decided, asked and done but for the route, and what
// the route was asked for.
type outcome struct {
	seen  string
	route []rollout.RouteWish
}

var begin = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func revision(tag string) v1beta1.RevisionStatus {
	return v1beta1.RevisionStatus{Name: "podinfo-" + tag, Image: "podinfo:" + tag, Images: []string{"podinfo:" + tag}}
}

func played(c *v1beta1.Canary, weighted bool, s situation) outcome {
	p := &play{situation: s, c: c.DeepCopy(), weighted: weighted, now: begin, answers: map[string]rollout.Answer{},
		target: rollout.Target{Revision: revision("1"), Replicas: 10}, apex: rollout.Apex{Exists: true}}
	p.route.Weighted = weighted
	story := []string{"2"}
	if s.back {
		story = append(story, "1")
	}
	for range maxTurns {
		at := p.turn()
		switch {
		case !at.IsZero():
			p.now = at
		case p.atRest() && len(story) > 0:
			p.target.Revision = revision(story[0])
			story = story[1:]
		default:
			return outcome{p.seen.String(), p.wants}
		}
	}
	return outcome{p.seen.String(), p.wants}
}

func (p *play) atRest() bool {
	r := p.c.Status.Rollout
	return p.c.Status.Promoted != nil && p.c.Status.Initialization == nil && (r == nil || r.EndedAt != nil)
}

// turn is one reconcile. It returns when the next one is due; zero when nothing comes by itself.
func (p *play) turn() time.Time {
	o := p.observed()
	d := rollout.Plan(o)
	if d.Next != nil {
		for _, e := range d.Next.Journal {
			if e.Transition > p.c.Status.Transition {
				fmt.Fprintf(&p.seen, "%s %s %s %t %s|%s|%s\n", p.now.Format(time.TimeOnly), e.Reason, e.Severity, e.Muted, e.What, e.Why, e.Next)
			}
		}
		p.c.Status = *d.Next
		o.Object = p.c
	}
	w := rollout.Desired(o)
	changed := p.become(w)
	asked := d.Next == nil && p.ask(d.Questions)
	if d.Next != nil || changed || asked {
		return p.now
	}
	at := time.Time{}
	for _, t := range []time.Time{d.WakeAt, w.WakeAt} {
		if t.After(p.now) && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	return at
}

func (p *play) observed() rollout.Observed {
	if n := len(p.served); n == 0 || p.served[0].Name != p.target.Revision.Name {
		p.served = append([]rollout.Snapshot{{RevisionStatus: p.target.Revision, Number: int64(n + 1)}}, p.served...)
	}
	return rollout.Observed{Now: p.now, Object: p.c.DeepCopy(), Target: p.target, Primary: p.primary, Canary: p.canary,
		Apex: p.apex, Route: p.route, Answers: p.answers, Revisions: p.served, HighestStamp: p.c.Status.Transition}
}

// become makes the cluster what it is to be. The wish is part of what is seen.
func (p *play) become(w rollout.World) bool {
	if w.Route != nil {
		if n := len(p.wants); n == 0 || !equality.Semantic.DeepEqual(p.wants[n-1], *w.Route) {
			p.wants = append(p.wants, *w.Route)
		}
		p.route.Exists, p.route.CanaryWeight, p.route.Rules = true, w.Route.CanaryWeight, w.Route.Rules.Digest()
		p.route.Stamp = p.c.Status.Transition
	}
	p.clone(&p.primary, w.Primary, p.shortPrimary && p.c.Status.Rollout != nil)
	p.clone(&p.canary, w.Canary, p.shortCanary)
	p.apex.ToPrimary = p.apex.ToPrimary || w.ApexToPrimary
	if w.EmptyTarget {
		p.target.Replicas = 0
	}
	route := w.Route
	w.Route, w.WakeAt = nil, time.Time{}
	text, err := json.Marshal(w)
	if err != nil {
		panic(err) // numbers and strings always encode
	}
	now := string(text) + fmt.Sprint(route)
	if now == p.last {
		return false
	}
	p.last = now
	fmt.Fprintf(&p.seen, "%s %s\n", p.now.Format(time.TimeOnly), text)
	return true
}

func (p *play) clone(w *rollout.Workload, wish *rollout.Clone, short bool) {
	if wish == nil {
		return
	}
	w.Exists, w.Synced = true, true
	if wish.Revision != "" {
		w.Revision = wish.Revision
	}
	if wish.Replicas != nil {
		w.Replicas = *wish.Replicas
	}
	up := w.Replicas
	if short {
		up = max(up-1, 0)
	}
	w.Pods, w.Updated, w.Available, w.Endpoints = w.Replicas, w.Replicas, up, up
}

// ask answers at once. Who is asked, and over which time, is seen; what else a metric or a hook says
// is for those who ask it.
func (p *play) ask(questions []rollout.Question) bool {
	asked := false
	for _, q := range questions {
		if _, ok := p.answers[q.Key]; ok {
			continue
		}
		asked = true
		p.answers[q.Key] = p.answer(q)
		fmt.Fprintf(&p.seen, "%s ask %s %d %t %s\n", p.now.Format(time.TimeOnly), q.Kind, q.Index, q.Primary, q.Window)
	}
	return asked
}

func (p *play) answer(q rollout.Question) rollout.Answer {
	switch q.Kind {
	case rollout.AskShare:
		n := int64(p.route.CanaryWeight) * 2
		return rollout.Answer{Counts: analysis.Counts{Primary: 2000 - n, Canary: n, Known: true}}
	case rollout.AskTraffic:
		return rollout.Answer{Traffic: analysis.Traffic{Known: true, ActiveKnown: true}}
	case rollout.AskImages:
		return rollout.Answer{Images: rollout.Images{Known: true}}
	case rollout.AskHook:
		m := analysis.Measurement{Evidence: analysis.Measured, Message: "HTTP 403"}
		if p.yes == (q.Hook.HookType() != v1beta1.HookRollback) {
			m = analysis.Measurement{Evidence: analysis.Measured, Value: 1}
		}
		return rollout.Answer{Measurement: m}
	default:
		m := analysis.Measurement{Evidence: analysis.Measured, Value: p.value, Requests: 400}
		if p.noData {
			m = analysis.Measurement{Evidence: analysis.NoData, Message: "no series"}
		}
		return rollout.Answer{Measurement: m}
	}
}
