package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/cmd/internal/handback"
	"github.com/serin-dev/serin/controllers/canary"
	"github.com/serin-dev/serin/pkg/webhook"
)

// releaseOptions are the arguments of `serin release`, which an uninstall of the chart runs.
type releaseOptions struct {
	options
	all, force bool
	timeout    time.Duration
	canaries   []types.NamespacedName
}

func parseRelease(args []string, env func(string) (string, bool)) (releaseOptions, error) {
	var o releaseOptions
	fs := flag.NewFlagSet("serin release", flag.ContinueOnError)
	fs.BoolVar(&o.all, "all", false, "release every Canary that the operator works on")
	fs.BoolVar(&o.force, "force", false, "do an operator's work where none does it")
	fs.DurationVar(&o.timeout, "timeout", handback.Timeout, "give up after this time")
	finish := o.define(fs, env)
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	for _, arg := range fs.Args() {
		namespace, name, ok := strings.Cut(arg, "/")
		if !ok || namespace == "" || name == "" {
			return o, fmt.Errorf("%q does not name a Canary: want NAMESPACE/NAME", arg)
		}
		o.canaries = append(o.canaries, types.NamespacedName{Namespace: namespace, Name: name})
	}
	if o.all == (len(o.canaries) > 0) {
		return o, errors.New("name the canaries to release, as NAMESPACE/NAME, or give --all")
	}
	if err := finish(); err != nil {
		return o, err
	}
	o.leaderElect = false // it leads nobody
	return o, o.check()
}

func releaseCanaries(ctx context.Context, o releaseOptions, out io.Writer) error {
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the API server: %w", err)
	}
	config.UserAgent = "serin/" + release()
	config.QPS, config.Burst = -1, -1
	c, err := client.New(config, client.Options{Scheme: newScheme()})
	if err != nil {
		return fmt.Errorf("connect to the API server: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	return o.releaser(c, out).Run(ctx)
}

func (o releaseOptions) releaser(c client.Client, out io.Writer) *handback.Releaser {
	var shard *string
	if o.all {
		shard = &o.shard // the others have operators of their own
	}
	return &handback.Releaser{
		Client: c, Out: out, Namespace: o.namespace, Shard: shard, Canaries: o.canaries, LeaseNamespaces: []string{o.namespace, o.leaderNamespace}, Force: o.force,
		Options: canary.Options{
			Namespace: o.namespace, Provider: o.provider, MetricsServer: o.metricsServer, SelectorLabels: o.selectorLabels, ClusterName: o.clusterName, EventWebhook: o.eventWebhook,
			TrackConfigs: o.configTracking, SecretNamespaces: o.secretNamespaces, ReferenceNamespaces: o.referenceNamespaces, Guard: o.guard,
		},
		Hooks: webhook.New(o.guard, o.trustedLoadtesters, o.loadtesterTokenFile),
	}
}
