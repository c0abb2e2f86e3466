package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
)

const interval = 10 * time.Second

var steps = []int32{10, 20, 30, 40, 50}

// settled is how long after a change the last request that belongs to it may come.
const settled = 3 * time.Second

// measureRun counts requests and time of one rollout, from its first weight to its last check. The
// commit of the weight comes a moment before it is seen.
func measureRun(ctx context.Context, w *world, s *server) error {
	if err := w.setImage(ctx, name(0), "app:2"); err != nil {
		return err
	}
	first, err := w.await(ctx, name(0), "exposed", func(s *v1beta1.CanaryStatus) bool { return s.CanaryWeight > 0 })
	if err != nil {
		return err
	}
	last, err := w.await(ctx, name(0), "promoting", func(s *v1beta1.CanaryStatus) bool { return s.Phase == v1beta1.PhasePromoting })
	if err != nil {
		return err
	}
	if err := w.rests(ctx, name(0)); err != nil {
		return err
	}
	const moment = 100 * time.Millisecond
	asked, err := s.requests(namespace, first.Add(-moment), last.Add(-moment))
	if err != nil {
		return err
	}
	explain(asked)
	figure("requests_per_step", float64(len(asked))/float64(len(steps)), "requests")
	figure("run_over_intervals", last.Sub(first).Seconds()/(interval.Seconds()*float64(len(steps))), "ratio")
	return nil
}

// measureIdle watches the fleet at rest.
func measureIdle(ctx context.Context, _ *world, s *server, op *operator) error {
	if err := pause(ctx, settled); err != nil {
		return err
	}
	from := time.Now()
	if err := pause(ctx, idleTime); err != nil {
		return err
	}
	asked, err := s.requests("", from, time.Now())
	if err != nil {
		return err
	}
	if len(asked) > 0 {
		explain(asked)
	}
	figure("requests_per_idle_minute", float64(len(asked))/idleTime.Minutes(), "requests")
	rss, err := op.rss()
	if err != nil {
		return err
	}
	figure(fmt.Sprintf("rss_%d_canaries", fleet), rss, "MiB")
	return nil
}

// measureReaction changes one image after the other and takes the time until the rollout has begun.
func measureReaction(ctx context.Context, w *world) error {
	var took []time.Duration
	for i := range samples {
		app := name(fleet - 1 - i)
		begin := time.Now()
		if err := w.setImage(ctx, app, "app:2"); err != nil {
			return err
		}
		at, err := w.await(ctx, app, "progressing", func(s *v1beta1.CanaryStatus) bool { return s.Phase == v1beta1.PhaseProgressing })
		if err != nil {
			return err
		}
		took = append(took, at.Sub(begin))
	}
	slices.Sort(took)
	figure("reaction_p50", took[len(took)/2].Seconds(), "s")
	figure("reaction_p99", took[len(took)*99/100].Seconds(), "s")
	return nil
}

// measureCommands gives one command after the other and takes the time until each is answered.
func measureCommands(ctx context.Context, w *world) error {
	var took []time.Duration
	for i := range samples {
		for _, verb := range []string{"pause", "resume"} {
			app, id := name(fleet-1-i), fmt.Sprintf("%s-%d", verb, i)
			begin := time.Now()
			if err := w.command(ctx, app, verb+" id="+id); err != nil {
				return err
			}
			at, err := w.await(ctx, app, verb+"d", func(s *v1beta1.CanaryStatus) bool { return s.Command != nil && s.Command.ID == id })
			if err != nil {
				return err
			}
			took = append(took, at.Sub(begin))
		}
	}
	slices.Sort(took)
	figure("command_p50", took[len(took)/2].Seconds(), "s")
	figure("command_p99", took[len(took)*99/100].Seconds(), "s")
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
