package gloo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/gloo/api"
	"github.com/serin-dev/serin/router/internal/object"
)

// Get reads the route and what Gloo says of all that it takes part in. A table of the user's that is
// not adopted yet, or that another tool has turned away from the two sides, is no route.
func (r *Router) Get(ctx context.Context, t router.Target) (router.State, error) {
	tb, err := r.table(ctx, t)
	if err != nil || !tb.exists() {
		return router.State{}, err
	}
	if problem := tb.taken(); problem != nil {
		return router.State{Problems: []router.Problem{*problem}}, nil
	}
	st := router.State{Verdict: router.NotKnown, Stamp: object.StampOf(tb.live)}
	if !tb.hasOurs() {
		return st, nil
	}
	st.Exists, st.Weights, st.Rules = true, tb.weights(), tb.standing()
	parents, err := r.virtualServices(ctx, tb.live)
	if err != nil {
		return router.State{}, err
	}
	f := findings{names: tb.names, parents: parents, State: st}
	f.shares(tb)
	f.table(tb)
	f.delegation(tb)
	if err := r.judgeUpstreams(ctx, &f); err != nil {
		return router.State{}, err
	}
	return f.State, nil
}

// findings collects what is wrong with a route.
type findings struct {
	names
	parents []*unstructured.Unstructured // the VirtualServices that lead to the table
	router.State
}

// shares adds what no proxy can do as asked.
func (f *findings) shares(tb *table) {
	for _, r := range tb.ours() {
		var total int32
		for _, e := range r.entries() {
			total += weightOf(e)
			if _, ok := f.entrySide(e); !ok && weightOf(e) > 0 {
				f.warn("ForeignDestination", fmt.Sprintf("a route of RouteTable %s also sends to a destination that is not this canary's, "+
					"so the two sides get less than their weights say. Remove it from the route's destinations", tb.key()))
			}
		}
		if total == 0 {
			f.reject(fmt.Sprintf("all weights of a route of RouteTable %s are 0, which Envoy refuses: it goes on with those before", tb.key()))
		}
	}
}

// table adds Gloo's words on the table itself. A route whose matchers do not fit those of the route
// that delegates to it is left out, with no more than a warning.
func (f *findings) table(tb *table) {
	for _, v := range verdicts(tb.live) {
		if v.warnsOf("invalid route") && tb.onlySends() {
			f.add(router.Problem{Reason: "RouteLeftOut", Message: fmt.Sprintf("Gloo leaves a route of RouteTable %s out, so no request reaches it: %s. "+
				"Make its matchers fit, those of analysis.match too, or remove them and set inheritablePathMatchers", tb.key(), v.reason)})
			continue
		}
		f.judge(tb.live, v)
	}
}

// judge weighs one verdict of Gloo's. Accepted is no confirmation: it may be on the weights before.
//
// A proxy's verdict sums up every route of every team, and a VirtualService's warnings those of every
// table below it. Such a one is ours only where it names something of ours. Of a proxy's rejection
// that does not, nobody can tell: Envoy takes the routes of a proxy together or not at all, but Gloo
// also takes some bad ones out. It is said, and the observed share of requests has the last word.
func (f *findings) judge(u *unstructured.Unstructured, v verdict) {
	switch {
	case v.proxy == "" && v.state == rejected:
		f.reject(fmt.Sprintf("Gloo rejects %s: %s", object.Title(u), v.reason))
	case v.proxy == "" && v.state == warned && (u.GetKind() == api.RouteTable.Kind || f.concerns(v.reason)):
		f.warn("GlooWarning", fmt.Sprintf("Gloo warns about %s: %s", object.Title(u), v.reason))
	case v.state == rejected && f.concerns(v.reason):
		f.reject(fmt.Sprintf("Gloo rejects routes of proxy %s: %s", v.proxy, v.reason))
	case v.state == rejected && v.proxy != "":
		f.warn("ProxyRejected", fmt.Sprintf("Gloo rejects routes of proxy %s that are not this canary's, and Envoy may refuse all until they are mended, "+
			"new weights too: %s", v.proxy, v.reason))
	case v.state == warned && v.proxy != "" && f.concerns(v.reason):
		f.warn("GlooWarning", fmt.Sprintf("Gloo warns about proxy %s: %s", v.proxy, v.reason))
	}
}

// concerns reports whether Gloo's words name the table, an Upstream of this target, or a route of a
// VirtualService above: that is what Gloo calls the routes of the tables below it.
func (f *findings) concerns(reason string) bool {
	ours := []string{f.Canary.Namespace + "." + f.Apex, f.prefix(primary), f.prefix(canary)}
	for _, vs := range f.parents {
		ours = append(ours, vs.GetNamespace()+"_"+vs.GetName()+"-route-")
	}
	return strings.Contains(reason, "rt:"+f.Canary.Namespace+"_"+f.Apex+"_route") ||
		slices.ContainsFunc(ours, func(name string) bool { return containsName(reason, name) })
}

// containsName finds a name that is not part of a longer one. Of one that ends in a dash the rest may be anything.
func containsName(text, name string) bool {
	for rest := text; ; {
		i := strings.Index(rest, name)
		if i < 0 {
			return false
		}
		before, after := rest[:i], rest[i+len(name):]
		if !endsInName(before) && (strings.HasSuffix(name, "-") || !startsWithName(after)) {
			return true
		}
		rest = after
	}
}

func endsInName(s string) bool     { return s != "" && isNamePart(s[len(s)-1]) }
func startsWithName(s string) bool { return s != "" && isNamePart(s[0]) }
func isNamePart(c byte) bool       { return c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' }

func (f *findings) reject(message string) {
	if f.Verdict != router.Rejected {
		f.Verdict, f.Message = router.Rejected, message
	}
}

func (f *findings) warn(reason, message string) {
	f.add(router.Problem{Reason: reason, Message: message, Warning: true})
}

// add keeps each problem once: Gloo repeats itself for every proxy and parent.
func (f *findings) add(p router.Problem) {
	if !slices.Contains(f.Problems, p) {
		f.Problems = append(f.Problems, p)
	}
}

// judgeUpstreams adds Gloo's words on the two sides and on what they follow.
func (r *Router) judgeUpstreams(ctx context.Context, f *findings) error {
	for _, s := range sides {
		up := api.New(api.Upstream)
		switch err := r.client.Get(ctx, f.upstreamKey(s), up); {
		case apierrors.IsNotFound(err):
			continue
		case err != nil:
			return fmt.Errorf("read Upstream %s: %w", f.upstreamKey(s), err)
		}
		for _, v := range verdicts(up) {
			f.judgeUpstream(up, v)
		}
	}
	source, err := r.source(ctx, f.names)
	if err == nil && source.missing {
		p := source.problem("the settings copied from it before stay")
		f.warn(p.Reason, p.Message)
	}
	return err
}

func (f *findings) judgeUpstream(up *unstructured.Unstructured, v verdict) {
	switch problem, broken := brokenBy(up, v); {
	case broken:
		f.add(problem)
	case v.proxy == "" && v.state == warned:
		f.warn("GlooWarning", fmt.Sprintf("Gloo warns about %s: %s", object.Title(up), v.reason))
	}
}

// brokenBy is the problem of an Upstream that no request can go to. Of a missing TLS secret Gloo only
// warns, and Envoy answers 503 all the same.
func brokenBy(up *unstructured.Unstructured, v verdict) (router.Problem, bool) {
	return router.Problem{
		Reason:  "UpstreamBroken",
		Message: fmt.Sprintf("no request can go to %s. Gloo says: %s", object.Title(up), v.reason),
	}, v.proxy == "" && (v.state == rejected || v.warnsOf("not found"))
}
