// Package handback releases canaries: their operators are asked to, and where none answers it can do an
// operator's work. It is behind `serin release` and `kubectl serin release`.
package handback

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/cmd/internal/leases"
	"github.com/serin-dev/serin/cmd/serin/implementations"
	"github.com/serin-dev/serin/controllers/canary"
	"github.com/serin-dev/serin/pkg/webhook"
)

const (
	// Timeout is how long a release is given unless something else is said.
	Timeout = 10 * time.Minute
	look    = 2 * time.Second
	// patience is more than an operator takes that is being replaced by another.
	patience = 30 * time.Second
)

// Releaser releases canaries and says what happens to them.
type Releaser struct {
	// Client knows all kinds that an operator does.
	Client client.Client
	Out    io.Writer
	// Namespace is the only one that is looked at; empty for all.
	Namespace string
	// Canaries to release there; none is all of them.
	Canaries []types.NamespacedName
	// Shard is the only one that is looked at; nil for all canaries.
	Shard *string
	// LeaseNamespaces are where operators may have their Leases; an empty name is all namespaces.
	LeaseNamespaces []string
	// Force does an operator's work with these options where none does it.
	Force   bool
	Options canary.Options
	Hooks   *webhook.Caller
	// Look is how often it looks, Patience how long nothing may happen to a canary before no operator is
	// at work on it. Defaults: 2 s and 30 s.
	Look, Patience time.Duration

	seen map[types.NamespacedName]progress
	mu   sync.Mutex
	left map[types.NamespacedName]string
}

// progress is a canary's last change and when it was seen.
type progress struct {
	version, reason string
	at              time.Time
	forced          bool
}

// Unreleased lists canaries that are not released, with why.
type Unreleased map[types.NamespacedName]string

func (u Unreleased) Error() string {
	lines := []string{fmt.Sprintf("%d canaries are not released", len(u))}
	for _, name := range slices.SortedFunc(maps.Keys(u), func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) }) {
		lines = append(lines, fmt.Sprintf("%s: %s", name, u[name]))
	}
	return strings.Join(lines, "; ")
}

// Run returns once all are released or gone. The error is Unreleased where some are not when the context
// ends, or where nobody works on them.
func (r *Releaser) Run(ctx context.Context) error {
	r.seen, r.left = map[types.NamespacedName]progress{}, map[types.NamespacedName]string{}
	first, err := r.list(ctx)
	if err != nil {
		return err
	}
	for i := range first {
		r.seen[client.ObjectKeyFromObject(&first[i])] = progress{}
	}
	for _, name := range r.Canaries {
		if _, ok := r.seen[name]; !ok {
			return fmt.Errorf("there is no Canary %s", name)
		}
	}
	for i := range first {
		if err := canary.AskRelease(ctx, r.Client, &first[i]); err != nil {
			return err
		}
	}
	fmt.Fprintf(r.Out, "%d canaries are to be released\n", len(first))
	return r.follow(ctx)
}

func (r *Releaser) follow(ctx context.Context) error {
	var work sync.WaitGroup
	defer work.Wait()
	for {
		if err := r.turn(ctx, &work); err != nil && ctx.Err() == nil {
			fmt.Fprintf(r.Out, "%v; looking again\n", err)
		}
		if len(r.seen) == 0 {
			return r.unreleased()
		}
		select {
		case <-ctx.Done():
			for name, p := range r.seen {
				r.leave(name, p.reason)
			}
			return r.unreleased()
		case <-time.After(cmp.Or(r.Look, look)):
		}
	}
}

// turn looks at every canary that is not released yet.
func (r *Releaser) turn(ctx context.Context, work *sync.WaitGroup) error {
	now, err := r.list(ctx)
	if err != nil {
		return err
	}
	live := map[types.NamespacedName]*v1beta1.Canary{}
	for i := range now {
		live[client.ObjectKeyFromObject(&now[i])] = &now[i]
	}
	operators := sync.OnceValues(func() (operators, error) { return r.operators(ctx) })
	for name, p := range r.seen {
		c := live[name]
		switch {
		case c == nil:
			fmt.Fprintf(r.Out, "%s is gone\n", name)
			delete(r.seen, name)
			continue
		case canary.Released(c):
			fmt.Fprintf(r.Out, "%s: %s\n", name, why(c))
			delete(r.seen, name)
			continue
		case r.gaveUp(name):
			delete(r.seen, name)
			continue
		case p.version != c.ResourceVersion:
			w := why(c)
			if w != p.reason && c.Status.Release != nil {
				fmt.Fprintf(r.Out, "%s: %s\n", name, w)
			}
			p.version, p.reason, p.at = c.ResourceVersion, w, time.Now()
		case p.forced, time.Since(p.at) <= cmp.Or(r.Patience, patience):
		default:
			o, err := operators()
			switch {
			case err != nil:
				return err
			case o.workOn(c, r.Force):
			case r.Force:
				p.forced = true
				fmt.Fprintf(r.Out, "%s: no operator works on it: it is released from here\n", name)
				work.Go(func() { r.force(ctx, name) })
			default:
				r.leave(name, "no operator works on it; with --force it is released from here")
				delete(r.seen, name)
				continue
			}
		}
		r.seen[name] = p
	}
	return nil
}

func why(c *v1beta1.Canary) string {
	if ready := meta.FindStatusCondition(c.Status.Conditions, v1beta1.ConditionReady); ready != nil && c.Status.Release != nil {
		return ready.Message
	}
	return "no operator has begun with it"
}

func (r *Releaser) list(ctx context.Context) ([]v1beta1.Canary, error) {
	var l v1beta1.CanaryList
	err := r.Client.List(ctx, &l, client.InNamespace(r.Namespace))
	if meta.IsNoMatchError(err) {
		return nil, nil // without the CRD there is none
	}
	if err != nil {
		return nil, fmt.Errorf("list canaries: %w", err)
	}
	return slices.DeleteFunc(l.Items, func(c v1beta1.Canary) bool {
		return len(r.Canaries) > 0 && !slices.Contains(r.Canaries, client.ObjectKeyFromObject(&c)) ||
			r.Shard != nil && c.Labels[v1beta1.ShardLabel] != *r.Shard
	}), nil
}

func (r *Releaser) force(ctx context.Context, name types.NamespacedName) {
	err := canary.Force(ctx, r.Client, r.Options, canary.Deps{
		Routers: implementations.Routers(), Metrics: implementations.Metrics(), Alerts: implementations.Alerts(), Hooks: r.Hooks,
	}, name)
	if err != nil {
		r.leave(name, err.Error())
	}
}

// leave notes why a canary is not released; the first reason says most.
func (r *Releaser) leave(name types.NamespacedName, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.left[name]; !known {
		r.left[name] = why
	}
}

func (r *Releaser) gaveUp(name types.NamespacedName) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, left := r.left[name]
	return left
}

func (r *Releaser) unreleased() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.left) == 0 {
		return nil
	}
	return Unreleased(r.left)
}

// operators are the Leases that are being renewed; known is false where not all may be read.
type operators struct {
	leases []coordinationv1.Lease
	known  bool
}

func (r *Releaser) operators(ctx context.Context) (operators, error) {
	o := operators{known: true}
	for _, namespace := range r.LeaseNamespaces {
		var l coordinationv1.LeaseList
		err := r.Client.List(ctx, &l, client.InNamespace(namespace), client.HasLabels{leases.ScopeLabel})
		if err != nil && !apierrors.IsForbidden(err) {
			return o, fmt.Errorf("list the Leases of operators: %w", err)
		}
		o.known = o.known && err == nil
		o.leases = append(o.leases, l.Items...)
	}
	o.leases = slices.DeleteFunc(o.leases, func(l coordinationv1.Lease) bool { return !leases.Alive(&l, time.Now()) })
	return o, nil
}

// workOn is true where an operator works on a canary. One that cannot be seen may be waiting for pods, up to
// the deadline of its step; another that takes its place before that does no harm.
func (o operators) workOn(c *v1beta1.Canary, force bool) bool {
	if slices.ContainsFunc(o.leases, func(l coordinationv1.Lease) bool { return leases.Covers(&l, c.Namespace, c.Labels[v1beta1.ShardLabel]) }) {
		return true
	}
	rel := c.Status.Release
	return !o.known && !force && rel != nil && rel.Until != nil && time.Now().Before(rel.Until.Time)
}
