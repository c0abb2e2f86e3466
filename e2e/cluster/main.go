// Command cluster runs a real one-node Kubernetes for tests and demos on a bare
// Debian machine, without a container engine and without a registry.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/serin-dev/serin/e2e/cluster/node"
)

const usage = `usage: go run ./cluster VERB (in the folder e2e)

  assets         build etcd, kube-apiserver and kubectl, print their folder (KUBEBUILDER_ASSETS)
  build          build everything the cluster needs into the cache
  up [-port N]   build what is missing and start the cluster; the API is on 127.0.0.1:N (16443)
  down           stop it and remove all traces, also of an interrupted up
  load TAR...    add image archives to the node
  exec -- CMD    run a command in the cluster's network: Services and pods are reachable
  env            print the shell variables to use it with`

func main() {
	// sudo and cron have a PATH without the folders of system programs.
	err := os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	if err == nil {
		err = dispatch(os.Args[1:])
	}
	switch {
	case err == nil:
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func dispatch(args []string) error {
	// The verbs by which the program starts itself: these processes are daemons,
	// which signals end.
	if len(args) > 0 {
		switch args[0] {
		case node.EnterVerb:
			return node.Enter(args[1:])
		case node.HoldVerb:
			return node.Hold(args[1:])
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, args)
}
