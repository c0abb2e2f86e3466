package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

const (
	// stepTimeout is generous: the slowest step takes seconds on an idle machine.
	stepTimeout = 3 * time.Minute
	pollEvery   = 100 * time.Millisecond
)

// process is a daemon of the cluster. It outlives this program, which watches it
// only until the cluster is up.
type process struct {
	name, log string
	ended     chan error
}

// start runs a daemon in the cluster's namespaces and groups.
func (c *Cluster) start(name string, argv ...string) error {
	_, err := c.launch(name, entry{daemon: true, mounts: c.holder}.command(argv...))
	return err
}

func (c *Cluster) launch(name string, cmd *exec.Cmd) (pid int, err error) {
	p := &process{name: name, log: c.path("log", name+".log"), ended: make(chan error, 1)}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("start %s: %w", name, err)
	}
	go func() { p.ended <- cmd.Wait() }()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.processes = append(c.processes, p)
	return cmd.Process.Pid, nil
}

// failed returns an error if a daemon has ended: none is meant to.
func (c *Cluster) failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.processes {
		select {
		case err := <-p.ended:
			p.ended <- err // for whoever asks next
			return fmt.Errorf("%s ended: %w; the end of %s:\n%s", p.name, reason(err), p.log, lastLines(p.log))
		default:
		}
	}
	return nil
}

// reason is why a process ended that should not have.
func reason(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

func lastLines(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}

// wait polls until ready says so, and reports it as a step. It gives up early
// when a daemon ends.
func (c *Cluster) wait(ctx context.Context, what string, ready func(context.Context) bool) error {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !ready(ctx) {
		if err := c.failed(); err != nil {
			return fmt.Errorf("waiting until %s: %w", what, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w; the logs are in %s", what, ctx.Err(), c.path("log"))
		case <-tick.C:
		}
	}
	c.steps.Step("%s", what)
	return nil
}
