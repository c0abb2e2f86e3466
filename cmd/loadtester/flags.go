package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"time"

	"github.com/serin-dev/serin/pkg/loadtester"
	"github.com/serin-dev/serin/pkg/loadtester/gate"
)

// defaultSubject is the operator's service account as its manifests install it.
const defaultSubject = "system:serviceaccount:serin-system:serin"

type options struct {
	port   string
	level  slog.Level
	config loadtester.Config
	// Where the gates are kept: at most one of them is set.
	gatesConfigMap, gatesFile string
	// Flags of existing manifests that do nothing here.
	ignored []string
}

func parse(args []string, stderr io.Writer) (options, error) {
	var opts options
	var auth loadtester.Auth
	flags := flag.NewFlagSet("loadtester", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&opts.port, "port", "9090", "port to listen on")
	flags.DurationVar(&opts.config.Timeout, "timeout", time.Hour, "how long one command may run")
	flags.Func("log-level", "debug, info, warning or error (default info)", opts.setLevel)
	flags.Func("namespace-regexp", "answer only canaries whose namespace it matches; not anchored (default all)", opts.setNamespaces)
	flags.StringVar(&opts.gatesConfigMap, "gates-configmap", "", "ConfigMap of the pod's namespace that keeps the gates; it must be there")
	flags.StringVar(&opts.gatesFile, "gates-file", "", "file that keeps the gates, outside a cluster (default, without -gates-configmap: they are closed at each start)")
	opts.ignore(flags)
	flags.StringVar(&auth.Audience, "auth-audience", "", "take only requests with a service account token for this audience (default: take all)")
	flags.StringVar(&auth.Keys.Issuer, "auth-issuer", "", "issuer of tokens (default: what the API server says)")
	flags.StringVar(&auth.Keys.URL, "auth-jwks-url", "", "where the cluster publishes its keys (default: the API server)")
	flags.Func("auth-subject", "service account that may run commands; repeatable (default "+defaultSubject+")", func(s string) error {
		auth.Subjects = append(auth.Subjects, s)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if opts.config.Timeout <= 0 {
		return options{}, fmt.Errorf("-timeout %s: a command needs time to run", opts.config.Timeout)
	}
	if opts.gatesConfigMap != "" && opts.gatesFile != "" {
		return options{}, errors.New("-gates-configmap and -gates-file: gates are kept in one place")
	}
	return opts, opts.setVerifier(auth)
}

// ignore takes the flags by which others set up their logging library: a manifest that has them is to
// start as it is.
func (o *options) ignore(flags *flag.FlagSet) {
	const usage = "has no effect: logs are JSON"
	flags.Func("zap-encoding", usage, func(string) error {
		o.ignored = append(o.ignored, "-zap-encoding")
		return nil
	})
	flags.BoolFunc("zap-replace-globals", usage, func(string) error {
		o.ignored = append(o.ignored, "-zap-replace-globals")
		return nil
	})
}

// openGates returns nil when the gates are to be kept nowhere.
func (o *options) openGates() (gate.Store, error) {
	switch {
	case o.gatesConfigMap != "":
		return gate.InCluster(o.gatesConfigMap)
	case o.gatesFile != "":
		return gate.NewFile(o.gatesFile)
	}
	return nil, nil //nolint:nilnil // the server closes all gates then, and says so
}

func (o *options) setLevel(s string) error {
	if s == "warning" {
		s = "warn"
	}
	return o.level.UnmarshalText([]byte(s))
}

func (o *options) setNamespaces(s string) error {
	if s == "" { // a chart passes its empty default
		return nil
	}
	var err error
	o.config.Namespaces, err = regexp.Compile(s)
	return err
}

func (o *options) setVerifier(auth loadtester.Auth) error {
	if auth.Audience == "" {
		// Half of it would look protected and not be.
		if len(auth.Subjects) > 0 || auth.Keys != (loadtester.KeySource{}) {
			return errors.New("-auth-issuer, -auth-jwks-url and -auth-subject need -auth-audience: without it everybody may run commands")
		}
		return nil
	}
	if len(auth.Subjects) == 0 {
		auth.Subjects = []string{defaultSubject}
	}
	if auth.Keys.URL == "" {
		// Only the API server is shown the pod's own token.
		issuer := auth.Keys.Issuer
		auth.Keys = loadtester.InCluster()
		auth.Keys.Issuer = issuer
	}
	var err error
	o.config.Verifier, err = loadtester.NewVerifier(auth)
	return err
}
