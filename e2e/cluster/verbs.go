package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/serin-dev/serin/e2e/cluster/cache"
	"github.com/serin-dev/serin/e2e/cluster/debian"
	"github.com/serin-dev/serin/e2e/cluster/node"
	"github.com/serin-dev/serin/e2e/cluster/progress"
)

var (
	errUsage = errors.New("usage")
	errDown  = errors.New("the cluster is not up: make cluster-up")
)

// app is what the verbs work with.
type app struct {
	cache cache.Dir
	steps *progress.Log
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	dir, err := cache.Open()
	if err != nil {
		return err
	}
	a := app{cache: dir, steps: progress.New(os.Stderr)}
	verb, args := args[0], args[1:]
	switch verb {
	case "assets":
		return a.assets(ctx)
	case "build":
		_, err := a.buildAll(ctx)
		return err
	case "up":
		return a.up(ctx, args)
	case "down":
		return a.down(ctx)
	case "load":
		return a.load(ctx, args)
	case "exec":
		return a.exec(args)
	case "env":
		return a.env(ctx)
	}
	return errUsage
}

func (a app) cluster(port int) *node.Cluster {
	return node.New(node.Config{
		Run: a.cache.Run(), Kube: a.cache.Bin("kube"), Port: port,
		Path: []string{a.cache.Assets(), filepath.Dir(a.cache.Bin("hey"))},
	}, a.steps)
}

func (a app) up(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	port := flags.Int("port", node.DefaultPort, "port of the API on 127.0.0.1")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return errUsage
	}
	if err := needRoot("up"); err != nil {
		return err
	}
	// Not under the cluster's lock: `down` need not wait for a compiler.
	if err := debian.Install(ctx, node.Tools, a.steps); err != nil {
		return err
	}
	images, err := a.buildAll(ctx)
	if err != nil {
		return err
	}
	unlock, err := a.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return a.start(ctx, a.cluster(*port), images)
}

func (a app) start(ctx context.Context, c *node.Cluster, images node.Images) error {
	if c.IsUp(ctx) {
		a.steps.Step("already up")
		a.printEnv(c)
		return nil
	}
	if c.Leftovers() {
		a.steps.Step("removing what an earlier run left")
		if err := c.Down(ctx); err != nil {
			return err
		}
	}
	if err := c.Up(ctx, images); err != nil {
		return fmt.Errorf("%w\nmake cluster-down removes what was started", err)
	}
	a.steps.Step("ready")
	a.printEnv(c)
	return nil
}

func (a app) down(ctx context.Context) error {
	if err := needRoot("down"); err != nil {
		return err
	}
	unlock, err := a.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	c := a.cluster(node.DefaultPort)
	if !c.Leftovers() {
		a.steps.Step("nothing to remove")
		return nil
	}
	return c.Down(ctx)
}
