package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/cmd/internal/handback"
	"github.com/serin-dev/serin/controllers/canary"
	"github.com/serin-dev/serin/pkg/webhook"
)

// releaseFlags say what is released, and how an operator would do it.
type releaseFlags struct {
	all, force bool
	timeout    time.Duration
	operator   canary.Options
}

func releaseCommand(s *session) *cobra.Command {
	var f releaseFlags
	cmd := &cobra.Command{
		Use: "release NAME | --all", Short: "Hand the traffic back to the Deployment, and keep the Canary", GroupID: groupSteer,
		Long: fmt.Sprintf(`The Deployment gets its pods and the traffic back, and what Serin made goes. The Canary stays, and is adopted
again without the annotation %s. Nothing has to be running for what serves to go on serving.

The operator does it, and this waits for it. Where none is there any more, --force does its work from here, with
your own rights. It takes up where an operator left, and does no harm beside one. Say with the flags below --force
how that operator was started where that was not by its defaults.`, v1beta1.ReleaseAnnotation),
		Example: "  kubectl serin release podinfo -n test\n  kubectl serin release --all --force",
		Args: func(cmd *cobra.Command, args []string) error {
			if !f.all {
				return oneName(cmd, args)
			}
			if len(args) > 0 {
				return fmt.Errorf("--all releases every Canary: leave out %s", strings.Join(args, ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return s.release(cmd.Context(), f, args) },
	}
	fs := cmd.Flags()
	fs.BoolVar(&f.all, "all", false, "every Canary of the cluster, or of the namespace that -n names")
	fs.DurationVar(&f.timeout, "timeout", handback.Timeout, "how long to wait")
	fs.BoolVar(&f.force, "force", false, "do an operator's work where none does it")
	o := &f.operator
	fs.StringVar(&o.Provider, "provider", canary.DefaultProvider, "with --force: router of canaries that name none")
	fs.StringVar(&o.MetricsServer, "metrics-server", canary.DefaultMetricsServer, "with --force: Prometheus that tells what still reaches a canary")
	fs.StringSliceVar(&o.SelectorLabels, "selector-labels", canary.DefaultSelectorLabels(), "with --force: labels that may tell a target's pods")
	fs.BoolVar(&o.TrackConfigs, "config-tracking", true, "with --force: ConfigMaps are part of a revision")
	fs.StringSliceVar(&o.SecretNamespaces, "secret-namespaces", nil, "with --force: namespaces whose Secrets are")
	fs.SortFlags = false
	return cmd
}

func (s *session) release(ctx context.Context, f releaseFlags, args []string) error {
	config, namespace, err := s.cluster()
	if err != nil {
		return err
	}
	c, err := client.NewWithWatch(config, client.Options{Scheme: fullScheme()})
	if err != nil {
		return fmt.Errorf("set up the client: %w", err)
	}
	t := target{WithWatch: c, key: client.ObjectKey{Namespace: namespace}}
	r := &handback.Releaser{Client: c, Out: s.out, Namespace: namespace, LeaseNamespaces: []string{""}, Force: f.force, Options: f.operator, Hooks: webhook.New(nil, nil, "")}
	if f.all {
		r.Namespace = s.overrides.Context.Namespace // that of the kubeconfig is not meant
	} else {
		t.key.Name = args[0]
		r.Canaries = []types.NamespacedName{t.key}
		if _, err := t.get(ctx); err != nil {
			return err
		}
	}
	waiting, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	err = r.Run(waiting)
	left, unreleased := errors.AsType[handback.Unreleased](err)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return errors.New("interrupted. An operator that is there goes on by itself")
	case unreleased:
		return outcomeError{exitTimeout, notReleased(left)}
	case apierrors.IsForbidden(err):
		return t.explain("release", err)
	default:
		return err
	}
}

// notReleased says what becomes of canaries whose release was asked for in vain.
func notReleased(left handback.Unreleased) string {
	lines := []string{left.Error(), "Is the operator there?  " + findOperator, "The annotation stands, and is obeyed once an operator sees it. To take it back:"}
	for _, key := range slices.SortedFunc(maps.Keys(left), func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) }) {
		lines = append(lines, fmt.Sprintf("  kubectl annotate -n %s canary %s %s-", key.Namespace, key.Name, v1beta1.ReleaseAnnotation))
	}
	return strings.Join(lines, "\n")
}

// fullScheme has all kinds that an operator knows.
func fullScheme() *runtime.Scheme {
	scheme := newScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil { // compiled in: fails always or never
		panic(err)
	}
	return scheme
}
