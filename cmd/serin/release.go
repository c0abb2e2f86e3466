package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/cmd/serin/implementations"
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
	fs.BoolVar(&o.all, "all", false, "release every Canary in the namespaces that the operator works in")
	fs.BoolVar(&o.force, "force", false, "do an operator's work where none does it")
	fs.DurationVar(&o.timeout, "timeout", 10*time.Minute, "give up after this time")
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
	finish()
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
	return (&releaser{releaseOptions: o, client: c, out: out, look: 2 * time.Second, patience: 30 * time.Second}).run(ctx)
}

// releaser hands canaries back: operators are asked to, and where none does, it does their work.
type releaser struct {
	releaseOptions
	client client.Client
	out    io.Writer
	// look is how often it looks, patience how long nothing may happen to a canary before no operator
	// is at work on it.
	look, patience time.Duration

	seen   map[types.NamespacedName]progress
	mu     sync.Mutex
	failed map[types.NamespacedName]error
}

// progress is a canary's last change and when it was seen.
type progress struct {
	version, reason string
	at              time.Time
	forced          bool
}

func (r *releaser) run(ctx context.Context) error {
	r.seen, r.failed = map[types.NamespacedName]progress{}, map[types.NamespacedName]error{}
	first, err := r.list(ctx)
	if err != nil {
		return err
	}
	for i := range first {
		if err := canary.AskRelease(ctx, r.client, &first[i]); err != nil {
			return err
		}
		r.seen[client.ObjectKeyFromObject(&first[i])] = progress{}
	}
	for _, name := range r.canaries {
		if _, ok := r.seen[name]; !ok {
			return fmt.Errorf("there is no Canary %s", name)
		}
	}
	fmt.Fprintf(r.out, "%d canaries are to be released\n", len(first))
	var work sync.WaitGroup
	defer work.Wait()
	for {
		if err := r.turn(ctx, &work); err != nil && ctx.Err() == nil {
			return err
		}
		if len(r.seen) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return r.late()
		case <-time.After(r.look):
		}
	}
}

// turn looks at every canary that is not released yet.
func (r *releaser) turn(ctx context.Context, work *sync.WaitGroup) error {
	now, err := r.list(ctx)
	if err != nil {
		return err
	}
	live := map[types.NamespacedName]*v1beta1.Canary{}
	for i := range now {
		live[client.ObjectKeyFromObject(&now[i])] = &now[i]
	}
	alone := sync.OnceValue(func() bool { return !r.operated(ctx) })
	for name, p := range r.seen {
		c := live[name]
		switch {
		case c == nil:
			fmt.Fprintf(r.out, "%s is gone\n", name)
			delete(r.seen, name)
			continue
		case canary.Released(c):
			fmt.Fprintf(r.out, "%s %s\n", name, why(c))
			delete(r.seen, name)
			continue
		case p.version != c.ResourceVersion:
			p.version, p.reason, p.at = c.ResourceVersion, why(c), time.Now()
		case r.force && !p.forced && time.Since(p.at) > r.patience && alone():
			p.forced = true
			fmt.Fprintf(r.out, "no operator works on %s: it is released from here\n", name)
			work.Go(func() { r.forceOne(ctx, name) })
		}
		r.seen[name] = p
	}
	return nil
}

func why(c *v1beta1.Canary) string {
	if ready := meta.FindStatusCondition(c.Status.Conditions, v1beta1.ConditionReady); ready != nil {
		return ready.Message
	}
	return "nothing has been done yet"
}

func (r *releaser) list(ctx context.Context) ([]v1beta1.Canary, error) {
	var l v1beta1.CanaryList
	err := r.client.List(ctx, &l, client.InNamespace(r.namespace))
	if meta.IsNoMatchError(err) {
		return nil, nil // without the CRD there is none
	}
	if err != nil {
		return nil, fmt.Errorf("list canaries: %w", err)
	}
	if r.all {
		return l.Items, nil
	}
	named := slices.DeleteFunc(l.Items, func(c v1beta1.Canary) bool {
		return !slices.Contains(r.canaries, client.ObjectKeyFromObject(&c))
	})
	return named, nil
}

func (r *releaser) forceOne(ctx context.Context, name types.NamespacedName) {
	err := canary.Force(ctx, r.client, canary.Options{
		Provider: r.provider, MetricsServer: r.metricsServer, SelectorLabels: r.selectorLabels, ClusterName: r.clusterName,
		TrackConfigs: r.configTracking, SecretNamespaces: r.secretNamespaces,
	}, canary.Deps{
		Routers: implementations.Routers(), Metrics: implementations.Metrics(), Alerts: implementations.Alerts(),
		Hooks: webhook.New(r.trustedLoadtesters, r.loadtesterTokenFile),
	}, name)
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.failed[name] = err
	}
}

// operated is true while an operator for these namespaces renews its Lease.
func (r *releaser) operated(ctx context.Context) bool {
	look := rivals{scope: r.namespace}
	for _, namespace := range []string{r.namespace, r.leaderNamespace} {
		var l coordinationv1.LeaseList
		if err := r.client.List(ctx, &l, client.InNamespace(namespace), client.HasLabels{scopeLabel}); err != nil {
			continue // whoever may not read them has to go by what happens to the canaries
		}
		for i := range l.Items {
			if look.overlaps(&l.Items[i]) && alive(&l.Items[i], time.Now()) {
				return true
			}
		}
	}
	return false
}

// late lists what is not released when the time is over.
func (r *releaser) late() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := []string{fmt.Sprintf("%d canaries are not released after %s", len(r.seen), r.timeout)}
	for _, name := range slices.SortedFunc(maps.Keys(r.seen), func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) }) {
		reason := r.seen[name].reason
		if err := r.failed[name]; err != nil {
			reason = err.Error()
		}
		lines = append(lines, fmt.Sprintf("%s: %s", name, reason))
	}
	return errors.New(strings.Join(lines, "; "))
}
