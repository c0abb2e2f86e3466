package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/e2e/internal/stage"
	"github.com/serin-dev/serin/e2e/load/stream"
)

// served is the version that users get at the end of both rollouts.
const served = "6.0.1"

// act is one rollout as the last lines tell it.
type act struct {
	verb, tag string
	took      time.Duration
	// count is of the users' requests while it ran.
	count stream.Count
	// faults are the requests that asked podinfo for errors; another answer is a failure there.
	faults stream.Report
}

// perform types the new image and waits for the end that is due.
func (s *show) perform(ctx context.Context, a *act, limit time.Duration, due func(*v1beta1.Canary) bool) error {
	begin := time.Now()
	before, err := s.Canary(ctx, s.App)
	if err != nil {
		return err
	}
	line, err := s.SetImage(ctx, s.App, a.tag)
	if err != nil {
		return err
	}
	s.screen.say("$", line)
	err = s.WaitCanary(ctx, s.App, limit, "see podinfo "+a.tag+" "+a.verb, func(c *v1beta1.Canary) (bool, error) {
		reached, r := due(c), c.Status.Rollout
		ended := r != nil && r.EndedAt != nil && strings.HasSuffix(r.Revision.Image, ":"+a.tag) && c.Status.Transition > before.Status.Transition
		if reached && ended {
			return false, nil
		}
		return ended, fmt.Errorf("phase %s, weight %s: %s", c.Status.Phase, c.Status.CanaryWeight, stage.Why(c))
	})
	if err != nil {
		return err
	}
	end := time.Now()
	a.took = end.Sub(begin)
	return s.review(ctx, a, begin, end)
}

// settle is what the answers to the last requests may take to be counted.
const settle = 3 * time.Second

// review looks at what users saw, during the rollout and after it.
func (s *show) review(ctx context.Context, a *act, begin, end time.Time) error {
	if err := s.atRest(ctx); err != nil {
		return err
	}
	after := time.Now().Truncate(time.Second).Add(time.Second)
	if err := sleep(ctx, time.Until(after.Add(settle))); err != nil {
		return err
	}
	report, err := s.Load(ctx, users, begin)
	if err != nil {
		return err
	}
	a.count = report.Between(begin, end)
	if now := report.Between(after, after.Add(time.Second)); now.Share(served) != 100 {
		return fmt.Errorf("podinfo %s %s, but then users do not get %s: %v", a.tag, a.verb, served, now)
	}
	return nil
}

// atRest waits until the canary has no pods left.
func (s *show) atRest(ctx context.Context) error {
	return stage.Until(ctx, time.Minute, "see podinfo-canary at zero", func(ctx context.Context) (bool, error) {
		set, pods, err := s.Replicas(ctx, s.App, "podinfo-canary")
		if err == nil && set+pods > 0 {
			err = fmt.Errorf("set to %d, %d pods", set, pods)
		}
		return false, err
	})
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func (a act) String() string {
	s := fmt.Sprintf("%-12s podinfo %s   %-6s  %s requests, %d failed",
		a.verb, a.tag, a.took.Round(time.Second), thousands(a.count.Sent), a.count.Failed+a.faults.Total.Failed)
	if asked := a.faults.Total.Sent; asked > 0 {
		s += fmt.Sprintf(" that podinfo did not fail itself (%s HTTP 500s were asked for)", thousands(asked))
	}
	return s
}

// thousands groups digits: 28,904.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
