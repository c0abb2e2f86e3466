package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/e2e/internal/bare"
)

const (
	interval = 10 * time.Second
	// idleTime is how long canaries at rest are watched.
	idleTime = time.Minute
	// settled is how long after a change the last request that belongs to it may come.
	settled = 5 * time.Second
	// beside is how many canaries share a namespace.
	beside = 50
)

var steps = []int32{10, 20, 30, 40, 50}

// fleet is the canaries and what is measured with them.
type fleet struct {
	*bare.World
	rig  *bare.Rig
	op   *operator
	size int
	// empty is the memory of the operator without canaries, in MiB.
	empty float64
	// version of the newest image.
	version int
}

// situation is what the fleet does while it is measured.
type situation struct {
	name     string
	rollouts int
	// restart stops the operator in the middle and starts it again.
	restart bool
}

var situations = []situation{
	{name: "idle"},
	{name: "1-rollout", rollouts: 1},
	{name: "10-rollouts", rollouts: 10},
	{name: "100-rollouts", rollouts: 100},
	{name: "10-rollouts-restart", rollouts: 10, restart: true},
	{name: "idle-restart", restart: true},
}

func names() []string {
	var out []string
	for _, s := range situations {
		out = append(out, s.name)
	}
	return out
}

func team(i int) string { return fmt.Sprintf("team-%03d", i) }

func name(i int) string { return fmt.Sprintf("%s/app-%02d", team(i/beside), i%beside) }

// bareManager measures what the operator holds without canaries.
func (f *fleet) bareManager(ctx context.Context) error {
	if err := bare.Pause(ctx, settled); err != nil {
		return err
	}
	u, err := f.op.usage(ctx)
	f.empty = u.memory
	return err
}

// adopt makes the first namespace's applications, and waits until they are at rest. The others are copied
// from it while the operator stands still.
func (f *fleet) adopt(ctx context.Context) error {
	n := min(f.size, beside)
	makers, making := errgroup.WithContext(ctx)
	makers.SetLimit(8)
	for i := range n {
		makers.Go(func() error {
			return f.Create(making, bare.App{Namespace: team(0), Name: fmt.Sprintf("app-%02d", i), Pods: 2, Interval: interval, Steps: steps})
		})
	}
	if err := makers.Wait(); err != nil {
		return err
	}
	for i := range n {
		if err := f.Rests(ctx, name(i)); err != nil {
			return err
		}
	}
	if f.size == n {
		return nil
	}
	if err := f.op.pause(ctx); err != nil {
		return err
	}
	progress("copying them until there are %d", f.size)
	if err := f.multiply(ctx); err != nil {
		return err
	}
	if err := f.op.start(ctx); err != nil {
		return err
	}
	return f.comesToRest(ctx)
}

// take measures a situation from its first change to its last.
func (f *fleet) take(ctx context.Context, s situation) (row, error) {
	if err := bare.Pause(ctx, settled); err != nil {
		return row{}, err
	}
	before, err := f.op.usage(ctx)
	if err != nil {
		return row{}, err
	}
	began, asked := time.Now(), f.rig.Prometheus.Queries()
	var runs []ride
	if s.rollouts > 0 {
		runs, err = f.rollOut(ctx, s)
	} else {
		err = f.rest(ctx, s)
	}
	if err != nil {
		return row{}, err
	}
	ended := time.Now()
	after, err := f.op.usage(ctx)
	if err != nil {
		return row{}, err
	}
	requests, err := f.rig.Requests("", began, ended)
	if err != nil {
		return row{}, err
	}
	progress("  requests: %s", bare.Summary(requests))
	return row{situation: s, took: ended.Sub(began), requests: len(requests), queries: f.rig.Prometheus.Queries() - asked,
		rides: runs, cost: after.since(before), memory: after.memory, above: after.memory - f.empty}, nil
}

// rest watches the fleet at rest.
func (f *fleet) rest(ctx context.Context, s situation) error {
	if s.restart {
		if err := f.op.restart(ctx); err != nil {
			return err
		}
	}
	return bare.Pause(ctx, idleTime)
}

// ride is one rollout: its reaction until it has begun, and its run from its first weight to its last check.
type ride struct{ reaction, run time.Duration }

// rollOut changes as many images at once as the situation says.
func (f *fleet) rollOut(ctx context.Context, s situation) ([]ride, error) {
	f.version++
	rides := make([]ride, s.rollouts)
	riders, riding := errgroup.WithContext(ctx)
	for i := range rides {
		riders.Go(func() (err error) {
			// Spread: neighbours share a namespace.
			rides[i], err = f.ride(riding, name(i*f.size/s.rollouts))
			return err
		})
	}
	if s.restart {
		riders.Go(func() error {
			if _, err := f.Await(riding, name(0), "half way", func(s *v1beta1.CanaryStatus) bool { return s.CanaryWeight.Percent() >= 30 }); err != nil {
				return err
			}
			return f.op.restart(ctx)
		})
	}
	return rides, riders.Wait()
}

func (f *fleet) ride(ctx context.Context, app string) (ride, error) {
	began := time.Now()
	if err := f.SetImage(ctx, app, fmt.Sprintf("app:2.%d", f.version)); err != nil {
		return ride{}, err
	}
	begun, err := f.Await(ctx, app, "progressing", func(s *v1beta1.CanaryStatus) bool { return s.Phase == v1beta1.PhaseProgressing })
	if err != nil {
		return ride{}, err
	}
	first, err := f.Await(ctx, app, "exposed", func(s *v1beta1.CanaryStatus) bool { return s.CanaryWeight > 0 })
	if err != nil {
		return ride{}, err
	}
	last, err := f.Await(ctx, app, "promoting", func(s *v1beta1.CanaryStatus) bool { return s.Phase == v1beta1.PhasePromoting })
	if err != nil {
		return ride{}, err
	}
	return ride{reaction: begun.Sub(began), run: last.Sub(first)}, f.Rests(ctx, app)
}
