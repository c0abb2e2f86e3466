package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"syscall"
	"time"
)

// downTimeout is how long processes may take to die and groups to become empty.
const downTimeout = 8 * time.Second

// Leftovers says whether anything of a cluster is there, complete or not.
func (c *Cluster) Leftovers() bool {
	groups := false
	eachGroup(func(string) { groups = true })
	return groups || exists(NetnsPath) || exists(c.Run)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Down ends and removes everything, in whatever state it is, and may be repeated.
// Nothing is asked to end by itself: nothing of it is to be kept.
func (c *Cluster) Down(ctx context.Context) error {
	deadline := time.Now().Add(downTimeout)
	if err := endProcesses(ctx, deadline); err != nil {
		return err
	}
	c.steps.Step("processes are gone")
	if err := errors.Join(removeNetns(), removeCgroups(deadline)); err != nil {
		return err
	}
	c.removeMountPoints()
	// A folder that somebody mounted there must not lose its files.
	if err := unmountBelow(c.Run); err != nil {
		return err
	}
	if err := os.RemoveAll(c.Run); err != nil {
		return fmt.Errorf("remove the cluster's state: %w", err)
	}
	c.steps.Step("namespace, control groups and state are gone")
	return nil
}

// endProcesses repeats until nobody is left: who is killed may just have started
// somebody.
func endProcesses(ctx context.Context, deadline time.Time) error {
	for {
		left := cgroupMembers()
		maps.Copy(left, netnsMembers())
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes that cannot be ended: %v", slices.Sorted(maps.Keys(left)))
		}
		kill(left)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func kill(pids map[int]bool) {
	for pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
	}
}
