package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// waitTime is how long a rollout is waited for unless something else is said.
const waitTime = 30 * time.Minute

// statusFlags say what of a Canary's status is wanted.
type statusFlags struct {
	watch, wait bool
	image       string
	revision    int64
	timeout     time.Duration
}

func statusCommand(s *session) *cobra.Command {
	var f statusFlags
	cmd := &cobra.Command{
		Use: "status NAME", Short: "Where it stands, in a line; for pipelines, how a rollout ends", GroupID: groupLook, Args: oneName,
		Long: `Where a Canary stands, in a line.

With --wait it ends when the rollout does: with exit code 0 when the revision was promoted, 1 when it was
rolled back, superseded or taken back, 2 when --timeout passed. Say in pipelines with --image what was rolled
out: right after a change its rollout may not have begun. Without, the rollout that is under way is meant.`,
		Example: "  kubectl set image deployment/podinfo podinfod=stefanprodan/podinfo:6.0.1\n  kubectl serin status podinfo --wait --image=6.0.1 --timeout=20m",
		RunE: func(cmd *cobra.Command, args []string) error {
			if (f.image != "" || f.revision != 0) && !f.wait {
				return errors.New("--image and --revision say what --wait waits for: add --wait")
			}
			t, err := s.open(args[0])
			if err != nil {
				return err
			}
			return s.status(cmd.Context(), t, f)
		},
	}
	fs := cmd.Flags()
	fs.BoolVarP(&f.watch, "watch", "w", false, "print a line for each change, until it is interrupted")
	fs.BoolVar(&f.wait, "wait", false, "print a line for each change, until the rollout has ended")
	fs.StringVar(&f.image, "image", "", "wait for the revision with this image: its tag or whole name")
	fs.Int64Var(&f.revision, "revision", 0, "wait for the revision with this number: kubectl serin revisions NAME")
	fs.DurationVar(&f.timeout, "timeout", waitTime, "how long to wait")
	cmd.MarkFlagsMutuallyExclusive("watch", "wait")
	cmd.MarkFlagsMutuallyExclusive("image", "revision")
	return cmd
}

func (s *session) status(ctx context.Context, t target, f statusFlags) error {
	c, err := t.get(ctx)
	if err != nil {
		return err
	}
	switch {
	case f.wait:
		a, err := f.awaited(ctx, t, c)
		if err != nil {
			return err
		}
		return s.await(ctx, t, c, a, f.timeout)
	case f.watch:
		show := s.changes(t)
		if err := t.follow(ctx, c, func(seen *v1beta1.Canary) bool { show(seen); return false }); ctx.Err() == nil {
			return t.explain("follow", err)
		}
		return nil // somebody has seen enough
	default:
		s.changes(t)(c)
		return nil
	}
}

// changes prints where a Canary stands, unless it was said last.
func (s *session) changes(t target) func(*v1beta1.Canary) {
	said := ""
	return func(c *v1beta1.Canary) {
		if line := now(c); line != said {
			s.say("%s: %s", t.key, line)
			said = line
		}
	}
}

// await follows a rollout to its end.
func (s *session) await(ctx context.Context, t target, c *v1beta1.Canary, a *awaited, limit time.Duration) error {
	waiting, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	show := s.changes(t)
	var last *v1beta1.Canary
	var end verdict
	err := t.follow(waiting, c, func(seen *v1beta1.Canary) bool {
		show(seen)
		last, end = seen, a.judge(seen)
		return end.over
	})
	switch {
	case err == nil && end.promoted:
		s.say("%s: %s", t.key, end.text)
		return nil
	case err == nil:
		return refused("%s: %s", t.key, end.text)
	case errors.Is(waiting.Err(), context.DeadlineExceeded):
		return outcomeError{exitTimeout, fmt.Sprintf("%s: %s within %s. %s", t.key, a.missing(), limit, now(last))}
	case ctx.Err() != nil:
		return fmt.Errorf("%s: interrupted. The rollout goes on by itself", t.key)
	default:
		return t.explain("follow", err)
	}
}
