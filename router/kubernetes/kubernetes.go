// Package kubernetes is the router of canaries that have none: the apex Service selects the primary's
// pods, and nothing shares its traffic. Such a canary is tested without any user, and takes over when
// the primary runs what it ran (blue/green by the Service alone).
package kubernetes

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/internal/podmetrics"
)

// Router implements router.Router without a single object.
type Router struct{}

var _ router.Router = Router{}

// New is the router.Factory.
func New(client.Client) (router.Router, error) { return Router{}, nil }

// Features are none.
func (Router) Features() router.Features { return router.Features{} }

// Ensure has nothing to make: the Services are not a router's.
func (Router) Ensure(context.Context, router.Target, router.Stamp) error { return nil }

// Get says that all traffic is the primary's. That is in force: the Service that selects its pods is
// kept and watched by the loop itself.
func (Router) Get(context.Context, router.Target) (router.State, error) {
	return router.State{Exists: true, Weights: router.Split(0), Verdict: router.InForce}, nil
}

// Set refuses what is not so anyway.
func (Router) Set(_ context.Context, t router.Target, tr router.Traffic, _ router.Stamp) error {
	if err := tr.Validate(); err != nil {
		return err
	}
	if tr.Weights == router.Split(0) && tr.Rules.Empty() {
		return nil
	}
	return &router.NotReady{Problem: router.Problem{
		Reason: "NothingToRoute",
		Message: "provider kubernetes has no router that could send requests of Service " + t.Apex + " to the canary: " +
			"set spec.analysis.iterations for a blue/green test without traffic, or another spec.provider",
	}}
}

// Release has nothing to hand back.
func (Router) Release(context.Context, router.Target) error { return nil }

// Telemetry is what the pods count themselves.
func (Router) Telemetry(router.Target) router.Telemetry { return podmetrics.Telemetry() }

// Watches nothing.
func (Router) Watches() []router.Watch { return nil }
