package main

import (
	"context"
	"fmt"
	"os"

	"github.com/serin-dev/serin/e2e/cluster/node"
)

func (a app) load(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	c := a.cluster(node.DefaultPort)
	if !c.IsUp(ctx) {
		return errDown
	}
	return c.Load(ctx, args)
}

func (a app) exec(args []string) error {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return errUsage
	}
	return a.cluster(node.DefaultPort).Exec(args)
}

func (a app) env(ctx context.Context) error {
	c := a.cluster(node.DefaultPort)
	if !c.IsUp(ctx) {
		return errDown
	}
	a.printEnv(c)
	return nil
}

// printEnv prints what a shell can evaluate.
func (a app) printEnv(c *node.Cluster) {
	fmt.Printf("export KUBECONFIG=%s\n", c.Kubeconfig())
	fmt.Printf("export SERIN_NETNS=%s\n", node.Name)
	fmt.Printf("# kubectl is %s\n", a.kubectl())
}

// lock lets one up or down work at a time.
func (a app) lock(ctx context.Context) (unlock func(), err error) {
	return a.cache.Lock(ctx, "cluster", func() { a.steps.Step("waiting for another up or down to end") })
}

func needRoot(verb string) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("%s needs root: it makes namespaces, mounts and control groups", verb)
	}
	return nil
}
