package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/e2e/internal/bare"
)

const interval = 10 * time.Second

var steps = []int32{10, 20, 30, 40, 50}

func name(i int) string { return fmt.Sprintf("app-%02d", i) }

// adopt makes n applications and waits until they are at rest.
func adopt(ctx context.Context, w *bare.World, n int) error {
	for i := range n {
		app := bare.App{Name: name(i), Pods: 1, Interval: interval, Steps: steps}
		if i == 0 {
			app.Pods = 10 // its steps need more canary pods each
		}
		if err := w.Create(ctx, app); err != nil {
			return err
		}
	}
	for i := range n {
		if err := w.Rests(ctx, name(i)); err != nil {
			return err
		}
	}
	return nil
}

// settled is how long after a change the last request that belongs to it may come.
const settled = 3 * time.Second

// measureRun counts requests and time of one rollout, from its first weight to its last check. The
// commit of the weight comes a moment before it is seen.
func measureRun(ctx context.Context, w *bare.World, s *bare.Server) error {
	if err := w.SetImage(ctx, name(0), "app:2"); err != nil {
		return err
	}
	first, err := w.Await(ctx, name(0), "exposed", func(s *v1beta1.CanaryStatus) bool { return s.CanaryWeight > 0 })
	if err != nil {
		return err
	}
	last, err := w.Await(ctx, name(0), "promoting", func(s *v1beta1.CanaryStatus) bool { return s.Phase == v1beta1.PhasePromoting })
	if err != nil {
		return err
	}
	if err := w.Rests(ctx, name(0)); err != nil {
		return err
	}
	const moment = 100 * time.Millisecond
	asked, err := s.Requests(bare.Namespace, first.Add(-moment), last.Add(-moment))
	if err != nil {
		return err
	}
	progress("  counted: %s", bare.Summary(asked))
	figure("requests_per_step", float64(len(asked))/float64(len(steps)), "requests")
	figure("run_over_intervals", last.Sub(first).Seconds()/(interval.Seconds()*float64(len(steps))), "ratio")
	return nil
}

// measureIdle watches the fleet at rest.
func measureIdle(ctx context.Context, _ *bare.World, s *bare.Server, op *bare.Operator) error {
	if err := bare.Pause(ctx, settled); err != nil {
		return err
	}
	from := time.Now()
	if err := bare.Pause(ctx, idleTime); err != nil {
		return err
	}
	asked, err := s.Requests("", from, time.Now())
	if err != nil {
		return err
	}
	if len(asked) > 0 {
		progress("  counted: %s", bare.Summary(asked))
	}
	figure("requests_per_idle_minute", float64(len(asked))/idleTime.Minutes(), "requests")
	rss, err := op.RSS()
	if err != nil {
		return err
	}
	figure(fmt.Sprintf("rss_%d_canaries", fleet), rss, "MiB")
	return nil
}

// measureReaction changes one image after the other and takes the time until the rollout has begun.
func measureReaction(ctx context.Context, w *bare.World) error {
	var took []time.Duration
	for i := range samples {
		app := name(fleet - 1 - i)
		begin := time.Now()
		if err := w.SetImage(ctx, app, "app:2"); err != nil {
			return err
		}
		at, err := w.Await(ctx, app, "progressing", func(s *v1beta1.CanaryStatus) bool { return s.Phase == v1beta1.PhaseProgressing })
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
func measureCommands(ctx context.Context, w *bare.World) error {
	var took []time.Duration
	for i := range samples {
		for _, verb := range []string{"pause", "resume"} {
			app, id := name(fleet-1-i), fmt.Sprintf("%s-%d", verb, i)
			begin := time.Now()
			if err := w.Command(ctx, app, verb+" id="+id); err != nil {
				return err
			}
			at, err := w.Await(ctx, app, verb+"d", func(s *v1beta1.CanaryStatus) bool { return s.Command != nil && s.Command.ID == id })
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
