package loadtester

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Why a running command was killed.
var (
	errTimeout    = errors.New("timed out")
	errShutdown   = errors.New("the load tester is shutting down")
	errCallerGone = errors.New("the caller went away")
)

// result is the outcome of a command; err is nil when it exited with 0.
type result struct {
	output string
	err    error
}

// runner runs commands, each with a time limit, and knows which are running.
type runner struct {
	ctx     context.Context // ends all commands
	timeout time.Duration
	log     *slog.Logger
	metrics *metrics

	active  sync.WaitGroup
	mu      sync.Mutex
	closed  bool
	running map[string]bool // canary and command of TypeCmd tasks
}

// run runs the command and returns when it has ended. It is killed when its time
// is over, when caller ends or when the runner is closed.
func (r *runner) run(caller context.Context, shell string, t task) result {
	if !r.enter() {
		return result{err: errShutdown}
	}
	ctx, cancel := context.WithTimeoutCause(r.ctx, r.timeout, errTimeout)
	ctx, abort := context.WithCancelCause(ctx)
	forget := context.AfterFunc(caller, func() { abort(errCallerGone) })
	defer forget()

	begin := time.Now()
	finished := r.metrics.started(t.kind())
	p, err := start(shell, t.command())
	if err != nil {
		cancel()
		r.active.Done()
		finished(err, time.Since(begin))
		return result{err: err}
	}
	stopKill := context.AfterFunc(ctx, p.kill)
	err = r.explain(ctx, p.wait())
	finished(err, time.Since(begin))
	r.logEnd(t, err, p.output)

	// What the shell left running in the background keeps the same time limit,
	// but the answer does not wait for it.
	go func() {
		defer r.active.Done()
		p.reap()
		stopKill()
		cancel()
	}()
	return result{output: p.output.String(), err: err}
}

// explain words a command's error. A command that was killed has failed even when
// its shell had ended well: what it started had not.
func (r *runner) explain(ctx context.Context, err error) error {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errTimeout):
		return fmt.Errorf("command was killed: %w after %s", cause, r.timeout)
	case cause != nil:
		return fmt.Errorf("command was killed: %w", cause)
	case err != nil:
		return fmt.Errorf("command failed: %w", err)
	}
	return nil
}

// begin runs the command in the background, unless the same canary's same
// command is running. It says whether it was started.
func (r *runner) begin(shell string, t task) (bool, error) {
	key := t.canary() + "\n" + t.command()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false, errShutdown
	}
	if r.running[key] {
		return false, nil
	}
	r.running[key] = true
	r.active.Go(func() {
		r.run(context.Background(), shell, t)
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.running, key)
	})
	return true, nil
}

// enter counts a command in, so that close waits for it.
func (r *runner) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.active.Add(1)
	return true
}

func (r *runner) close(kill context.CancelCauseFunc) {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	kill(errShutdown)
	r.active.Wait()
}

func (r *runner) logEnd(t task, err error, out *output) {
	log := r.log.With("canary", t.canary(), "type", t.kind(), "command", t.command())
	switch {
	case err != nil:
		log.Error("task failed", "error", err, "output", out.String())
	case t.kind() == TypeBash || t.Metadata["logCmdOutput"] == "true":
		log.Info("task finished", "output", out.String())
	default:
		log.Info("task finished")
	}
}
