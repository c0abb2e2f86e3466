package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/e2e/cluster/progress"
	"github.com/serin-dev/serin/e2e/internal/stage"
)

// The streams of requests: what users send, and what asks podinfo for errors.
const (
	users  = "users"
	faults = "faults"

	userRate  = 200
	faultRate = 10
)

// host is the one that the sample's VirtualService answers to.
const host = "app.example.com"

// show is the demo from the adoption on.
type show struct {
	*stage.Stage
	steps   *progress.Log
	screen  *screen
	started time.Time
}

func newShow(s *stage.Stage, steps *progress.Log) *show {
	return &show{Stage: s, steps: steps, screen: &screen{}, started: time.Now()}
}

// play is both rollouts. It fails at the first thing that is not as it should be.
func (s *show) play(ctx context.Context) error {
	if err := s.adopt(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer stop()
	for _, watch := range []func(context.Context){s.watchCanary, s.watchSlack, s.watchLoad} {
		watchers.Go(func() { watch(ctx) })
	}
	promoted, err := s.promote(ctx)
	if err != nil {
		return err
	}
	rolledBack, err := s.rollBack(ctx)
	if err != nil {
		return err
	}
	return s.sum(ctx, promoted, rolledBack)
}

// adopt brings podinfo as the samples have it, and the users.
func (s *show) adopt(ctx context.Context) error {
	if err := s.ApplyFolder(ctx, "deploy/loadtester", s.App); err != nil {
		return err
	}
	s.steps.Step("kubectl apply -k deploy/samples")
	if err := s.ApplyFolder(ctx, "deploy/samples", s.App); err != nil {
		return err
	}
	if err := s.WaitInitialized(ctx, s.App); err != nil {
		return err
	}
	s.steps.Step("podinfo 6.0.0 is adopted: podinfo is a template now, podinfo-primary serves")
	if err := s.RolledOut(ctx, s.App, "loadtester"); err != nil {
		return err
	}
	spec, err := s.Through(ctx, host, "/version", userRate)
	if err != nil {
		return err
	}
	if err := s.WaitServing(ctx, spec); err != nil {
		return err
	}
	s.steps.Step("users send %d requests per second through the gateway", userRate)
	return s.StartLoad(ctx, users, spec)
}

// promote rolls out what is good.
func (s *show) promote(ctx context.Context) (act, error) {
	a := act{verb: "promoted", tag: "6.0.1"}
	err := s.perform(ctx, &a, 6*time.Minute, func(c *v1beta1.Canary) bool {
		return c.Status.Phase == v1beta1.PhaseSucceeded
	})
	return a, err
}

// rollBack rolls out what fails as soon as users meet it.
func (s *show) rollBack(ctx context.Context) (act, error) {
	a := act{verb: "rolled back", tag: "6.0.2"}
	spec, err := s.Through(ctx, host, "/status/500", faultRate)
	if err != nil {
		return a, err
	}
	spec.Expect = 500
	asked, askErr := false, error(nil)
	err = s.perform(ctx, &a, 5*time.Minute, func(c *v1beta1.Canary) bool {
		if !asked && c.Status.CanaryWeight > 0 {
			asked, askErr = true, s.StartLoad(ctx, faults, spec)
			s.screen.say("demo", fmt.Sprintf("%d requests per second ask podinfo for HTTP 500 from here on", faultRate))
		}
		return c.Status.Phase == v1beta1.PhaseFailed
	})
	if err = errors.Join(err, askErr); err != nil {
		return a, err
	}
	if a.faults, err = s.StopLoad(ctx, faults); err != nil {
		return a, fmt.Errorf("podinfo 6.0.2 was rolled back before it was asked for errors: %w", err)
	}
	return a, nil
}
