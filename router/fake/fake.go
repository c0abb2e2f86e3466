// Package fake is a router in memory. It remembers what it was told, as a proxy with its control
// plane would, and can be made to refuse, to lag, to fail and to be edited behind one's back. It
// passes the same suite as the real routers and is for tests and simulations only.
package fake

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
)

// Router is the router in memory, for any number of canaries.
type Router struct {
	// Clock is read at each write and by Serving. Default: time.Now.
	Clock func() time.Time
	// Lag is how long the proxies take to follow a write.
	Lag time.Duration
	// Confirms makes Get say InForce once the proxies follow; without, it says NotKnown as Gloo does.
	Confirms bool
	// Can is what it says that it can do. Default: all.
	Can *router.Features
	// BeforeWrite, when set, runs once between the next call's read and its write.
	BeforeWrite func()

	mu     sync.Mutex
	routes map[types.NamespacedName]*route
	faults map[string][]error
	writes int
}

// route is what is remembered of one canary. Its version stands for a resourceVersion.
type route struct {
	state    router.State
	rules    v1beta1.RouteRules
	version  int
	released bool
	shifts   []shift
}

// shift is one change of the weights and when the proxies follow it.
type shift struct {
	weights router.Weights
	from    time.Time
}

var _ router.Router = (*Router)(nil)

// Factory returns this router for every client.
func (r *Router) Factory() router.Factory {
	return func(client.Client) (router.Router, error) { return r, nil }
}

// Ensure creates the route at 100/0; an existing one keeps its weights.
func (r *Router) Ensure(_ context.Context, t router.Target, s router.Stamp) error {
	if err := r.fault("Ensure"); err != nil {
		return err
	}
	found, version := r.read(t.Canary)
	if found.Exists {
		if found.Stamp > s {
			return router.ErrOvertaken
		}
		return nil
	}
	return r.write(t.Canary, version, func(rt *route) {
		rt.state = router.State{Exists: true, Weights: router.Split(0), Stamp: s, Verdict: router.NotKnown}
		rt.rules, rt.released = v1beta1.RouteRules{}, false
	})
}

// Get returns what is remembered.
func (r *Router) Get(_ context.Context, t router.Target) (router.State, error) {
	if err := r.fault("Get"); err != nil {
		return router.State{}, err
	}
	st, _ := r.read(t.Canary)
	if r.Confirms && st.Exists && st.Verdict == router.NotKnown && r.Serving(t.Canary) == st.Weights {
		st.Verdict = router.InForce
	}
	return st, nil
}

// Set remembers the traffic. While the proxy refuses, it goes on with what it served before.
func (r *Router) Set(_ context.Context, t router.Target, w router.Traffic, s router.Stamp) error {
	if err := w.Validate(); err != nil {
		return err
	}
	if err := r.Features().Refuse(w); err != nil {
		return err
	}
	if err := r.fault("Set"); err != nil {
		return err
	}
	found, version := r.read(t.Canary)
	switch {
	case !found.Exists:
		return router.NotSeen("route " + t.Canary.String())
	case found.Stamp > s:
		return router.ErrOvertaken
	case found.Stamp == s && found.Weights == w.Weights && found.Rules == w.Rules.Digest():
		return nil
	}
	return r.write(t.Canary, version, func(rt *route) {
		rt.state.Stamp, rt.rules = s, w.Rules
		rt.state.Weights, rt.state.Rules = w.Weights, w.Rules.Digest()
	})
}

// Release leaves one destination. The route is gone for Get and goes on serving.
func (r *Router) Release(_ context.Context, t router.Target) error {
	if err := r.fault("Release"); err != nil {
		return err
	}
	found, version := r.read(t.Canary)
	if !found.Exists {
		return nil
	}
	return r.write(t.Canary, version, func(rt *route) {
		rt.state, rt.rules = router.State{}, v1beta1.RouteRules{}
		rt.released = true
	})
}

// Telemetry names series that no proxy writes.
func (r *Router) Telemetry(t router.Target) router.Telemetry {
	series := func(name, side string) router.Selector {
		return router.Selector{Series: name, Label: "service", Pattern: t.Canary.Namespace + "/" + t.Apex + "-" + side}
	}
	return router.Telemetry{
		SuccessRate:        series("fake_success_rate", "canary").Matching(),
		Latency:            series("fake_latency", "canary").Matching(),
		PrimarySuccessRate: series("fake_success_rate", "primary").Matching(),
		PrimaryLatency:     series("fake_latency", "primary").Matching(),
		PrimaryRequests:    series("fake_requests_total", "primary"),
		CanaryRequests:     series("fake_requests_total", "canary"),
		PrimaryActive:      series("fake_requests_active", "primary"),
		CanaryActive:       series("fake_requests_active", "canary"),
	}
}

// Features are those that it was given: everything can be remembered.
func (r *Router) Features() router.Features {
	if r.Can != nil {
		return *r.Can
	}
	return router.Features{Weights: true, Tenths: true, Headers: true, QueryParams: true, Methods: true,
		Mirror: true, MirrorShare: true, Affinity: true, Upstream: true}
}

// Watches is empty: nothing of this router is in the API server.
func (r *Router) Watches() []router.Watch { return nil }

// read returns the state and the version that a later write must still find.
func (r *Router) read(canary types.NamespacedName) (router.State, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rt, ok := r.routes[canary]; ok {
		return rt.state, rt.version
	}
	return router.State{}, 0
}

// write changes the route unless somebody did since it was read: that is a conflict, as the API
// server would say.
func (r *Router) write(canary types.NamespacedName, version int, change func(*route)) error {
	r.mu.Lock()
	hook := r.BeforeWrite
	r.BeforeWrite = nil
	r.mu.Unlock()
	if hook != nil {
		hook()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	rt := r.at(canary)
	if rt.version != version {
		return apierrors.NewConflict(schema.GroupResource{Resource: "routes"}, canary.Name, fmt.Errorf("the route was changed since it was read"))
	}
	r.change(rt, change)
	r.writes++
	return nil
}

// at finds or makes the memory of a canary. The lock is held.
func (r *Router) at(canary types.NamespacedName) *route {
	if r.routes == nil {
		r.routes = map[types.NamespacedName]*route{}
	}
	if r.routes[canary] == nil {
		r.routes[canary] = &route{}
	}
	return r.routes[canary]
}

// change applies a change and notes the shift that the proxies will follow. The lock is held.
func (r *Router) change(rt *route, change func(*route)) {
	change(rt)
	rt.version++
	if !rt.state.Exists || rt.state.Verdict == router.Rejected {
		return
	}
	if n := len(rt.shifts); n == 0 || rt.shifts[n-1].weights != rt.state.Weights {
		rt.shifts = append(rt.shifts, shift{weights: rt.state.Weights, from: r.now().Add(r.Lag)})
	}
}

func (r *Router) now() time.Time {
	if r.Clock == nil {
		return time.Now()
	}
	return r.Clock()
}
