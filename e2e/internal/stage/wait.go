package stage

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// pollEvery is how often the cluster is looked at while waiting.
const pollEvery = 200 * time.Millisecond

// Until looks until done says so. done returns what is still missing as an error and true to give up
// at once.
func Until(ctx context.Context, limit time.Duration, what string, done func(context.Context) (giveUp bool, missing error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not after %v", limit))
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		giveUp, missing := done(ctx)
		if missing == nil {
			return nil
		}
		if giveUp {
			return fmt.Errorf("%s: %w", what, missing)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w: %w", what, context.Cause(ctx), missing)
		case <-tick.C:
		}
	}
}

// RolledOut waits for a Deployment's pods.
func (s *Stage) RolledOut(ctx context.Context, namespace, name string) error {
	err := s.kubectl(ctx, "-n", namespace, "rollout", "status", "deployment/"+name, "--timeout=3m")
	if err != nil {
		return fmt.Errorf("%w\n%s", err, s.podsOf(ctx, namespace))
	}
	return nil
}

// podsOf says how the pods of a namespace are, for a failure's message.
func (s *Stage) podsOf(ctx context.Context, namespace string) string {
	out, err := s.KubectlOutput(ctx, "-n", namespace, "get", "pods", "-o", "wide")
	if err != nil {
		return err.Error()
	}
	events, err := s.KubectlOutput(ctx, "-n", namespace, "get", "events", "--field-selector=type=Warning")
	if err != nil {
		return err.Error()
	}
	return out + events
}

// Reset removes a namespace of an earlier run, and everything in it, and makes it anew.
func (s *Stage) Reset(ctx context.Context, namespace string) error {
	if err := s.remove(ctx, namespace); err != nil {
		return fmt.Errorf("remove namespace %s of an earlier run: %w", namespace, err)
	}
	return s.kubectl(ctx, "create", "namespace", namespace)
}

// remove takes the Canaries out of a namespace before it ends: an operator whose rights are bound to
// the namespace loses them with it, and could not let go of them any more.
func (s *Stage) remove(ctx context.Context, namespace string) error {
	installed, err := s.KubectlOutput(ctx, "get", "crd,namespace", "-o", "name")
	if err != nil {
		return err
	}
	if !strings.Contains(installed, "namespace/"+namespace+"\n") {
		return nil
	}
	if strings.Contains(installed, "/canaries.serin.dev\n") {
		if err := s.kubectl(ctx, "-n", namespace, "delete", "canaries", "--all", "--timeout=2m"); err != nil {
			return err
		}
	}
	return s.kubectl(ctx, "delete", "namespace", namespace, "--timeout=2m")
}

// clearApp makes the application's namespace anew. It comes before the operator, which in somebody's
// cluster gets its rights in that namespace only, and after the one of an earlier run, which still has
// to let go of its Canary.
func (s *Stage) clearApp(ctx context.Context) error { return s.Reset(ctx, s.App) }
