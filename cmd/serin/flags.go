package main

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"golang.org/x/net/http/httpproxy"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/controllers/canary"
	"github.com/serin-dev/serin/pkg/dial"
)

// options are the operator's flags; every default works.
type options struct {
	provider, metricsServer            string
	slackURL, slackToken, slackChannel string
	slackUser, slackProxy              string
	clusterName, namespace, shard      string
	eventWebhook                       string
	leaderElect                        bool
	leaderNamespace                    string
	metricsAddress, healthAddress      string
	metricsAuth, metricsCertDir        string
	pprofAddress                       string
	logLevel, logFormat                string
	selectorLabels, trustedLoadtesters []string
	loadtesterTokenFile                string
	commandsStamped                    bool
	configTracking                     bool
	secretNamespaces                   []string
	referenceNamespaces                []string
	guard                              *dial.Guard
}

func parse(args []string, env func(string) (string, bool)) (options, error) {
	var o options
	fs := flag.NewFlagSet("serin", flag.ContinueOnError)
	finish := o.define(fs, env)
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q; serin -h lists the flags", fs.Arg(0))
	}
	if err := finish(); err != nil {
		return o, err
	}
	return o, o.check()
}

// define adds the operator's flags to a set. finish takes up what was parsed.
func (o *options) define(fs *flag.FlagSet, env func(string) (string, bool)) (finish func() error) {
	var selectors, trusted, secrets, references, allowed string
	fs.StringVar(&o.provider, "provider", canary.DefaultProvider, "router of canaries that name none")
	fs.StringVar(&o.metricsServer, "metrics-server", canary.DefaultMetricsServer, "Prometheus that answers built-in checks and inline queries")
	fs.StringVar(&o.slackURL, "slack-url", from(env, "SLACK_URL"), "incoming webhook (environment: SLACK_URL)")
	fs.StringVar(&o.slackToken, "slack-token", from(env, "SLACK_TOKEN"), "bot token (environment: SLACK_TOKEN)")
	fs.StringVar(&o.slackChannel, "slack-channel", "", "channel that notifications go to")
	fs.StringVar(&o.slackUser, "slack-user", "serin", "name that notifications are sent under")
	fs.StringVar(&o.slackProxy, "slack-proxy-url", from(env, "SLACK_PROXY_URL"), "proxy for Slack; without it HTTPS_PROXY is honoured")
	fs.StringVar(&o.eventWebhook, "event-webhook", from(env, "EVENT_WEBHOOK_URL"), "URL that is told of every event of canaries without a webhook of type event (environment: EVENT_WEBHOOK_URL)")
	fs.StringVar(&o.clusterName, "cluster-name", "", "name of this cluster in notifications")
	fs.StringVar(&o.namespace, "namespace", "", "the one namespace to work in; empty for all")
	fs.StringVar(&o.shard, "shard", "", "work on the canaries whose label "+v1beta1.ShardLabel+" is this; empty for those without")
	fs.BoolVar(&o.leaderElect, "leader-elect", true, "act only while holding the Lease "+leaseName+", with a dash and the shard after it if there is one")
	fs.StringVar(&o.leaderNamespace, "leader-election-namespace", from(env, "POD_NAMESPACE"), "namespace of that Lease (environment: POD_NAMESPACE)")
	fs.StringVar(&o.metricsAddress, "metrics-bind-address", ":8080", "address of /metrics; 0 for none")
	fs.StringVar(&o.metricsAuth, "metrics-auth", metricsOpen, "who may read /metrics: kubernetes, those whose bearer token has the right to it; certificate, those with a client certificate of the authority in --metrics-cert-dir; none, everybody, by plain HTTP")
	fs.StringVar(&o.metricsCertDir, "metrics-cert-dir", "", "directory with tls.crt and tls.key for /metrics, and ca.crt with --metrics-auth=certificate; empty for a certificate of the operator's own")
	fs.StringVar(&o.healthAddress, "health-probe-bind-address", ":8081", "address of /readyz and /healthz")
	fs.StringVar(&o.pprofAddress, "pprof-bind-address", "", "address of /debug/pprof; empty for none")
	fs.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	fs.StringVar(&o.logFormat, "log-format", "json", "json or text")
	fs.StringVar(&selectors, "selector-labels", strings.Join(canary.DefaultSelectorLabels(), ","), "labels that may tell a target's pods, in order of preference")
	fs.StringVar(&trusted, "trusted-loadtesters", "", "URL prefixes of load testers that are sent the operator's token, comma separated")
	fs.StringVar(&o.loadtesterTokenFile, "loadtester-token-file", "", "file with the token for trusted load testers")
	fs.BoolVar(&o.commandsStamped, "commands-stamped", false, "an admission policy vouches for who gave a command")
	fs.BoolVar(&o.configTracking, "config-tracking", true, "make ConfigMaps, and Secrets where they may be read, part of a revision")
	fs.StringVar(&secrets, "secret-namespaces", "", "namespaces whose Secrets may be tracked, comma separated; the operator needs a Role in each")
	fs.StringVar(&references, "reference-namespaces", "", "namespaces whose MetricTemplates, AlertProviders and Canaries a Canary of any namespace may name, comma separated; * for all; empty for its own alone")
	fs.StringVar(&allowed, "allowed-addresses", "", "networks, addresses, host names and *.domains that canaries, metric templates and alert providers may lead to, comma separated; empty for all but link-local and metadata addresses")
	return func() (err error) {
		o.selectorLabels, o.trustedLoadtesters, o.secretNamespaces = split(selectors), split(trusted), split(secrets)
		o.referenceNamespaces = split(references)
		o.guard, err = o.outward(split(allowed))
		return err
	}
}

// outward allows what the list has, and what this operator was itself started with.
func (o *options) outward(allowed []string) (*dial.Guard, error) {
	own := append([]string{o.metricsServer, o.eventWebhook}, o.trustedLoadtesters...)
	proxies := httpproxy.FromEnvironment()
	for _, proxy := range []string{proxies.HTTPProxy, proxies.HTTPSProxy} {
		if !strings.Contains(proxy, "://") {
			proxy = "http://" + proxy // as HTTP clients read it
		}
		own = append(own, proxy)
	}
	guard, err := dial.New(allowed, own...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dial.Flag, err)
	}
	return guard, nil
}

func (o options) check() error {
	if len(o.selectorLabels) == 0 {
		return fmt.Errorf("--selector-labels is empty: name at least one label")
	}
	if o.shard != "" && len(validation.IsDNS1123Label(o.shard)) > 0 {
		return fmt.Errorf("--shard %q: want lower case letters, digits and dashes, as in a namespace's name", o.shard)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return fmt.Errorf("--log-level %q: want debug, info, warn or error", o.logLevel)
	}
	if o.logFormat != "json" && o.logFormat != "text" {
		return fmt.Errorf("--log-format %q: want json or text", o.logFormat)
	}
	if o.leaderElect && o.leaderNamespace == "" {
		return fmt.Errorf("--leader-election-namespace is empty and POD_NAMESPACE is not set: name the namespace of the Lease, or run alone with --leader-elect=false")
	}
	if _, err := os.Stat(o.loadtesterTokenFile); o.loadtesterTokenFile != "" && err != nil {
		return fmt.Errorf("--loadtester-token-file: %w", err)
	}
	return o.checkMetrics()
}

func (o options) logHandler(w io.Writer) slog.Handler {
	var level slog.Level
	_ = level.UnmarshalText([]byte(o.logLevel)) // checked by parse
	h := &slog.HandlerOptions{Level: level}
	if o.logFormat == "text" {
		return slog.NewTextHandler(w, h)
	}
	return slog.NewJSONHandler(w, h)
}

func from(env func(string) (string, bool), key string) string {
	v, _ := env(key)
	return v
}

func split(s string) []string {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}
