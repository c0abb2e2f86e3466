package canary

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/workload"
)

// seeQueue finds whom a new rollout has to wait for. It costs nothing while there is none to begin.
func (r *Reconciler) seeQueue(ctx context.Context, v *view) error {
	c := v.canary
	if running(c) || !pending(c, v.Target.Revision.Name) {
		return nil
	}
	var ahead []string
	for _, ref := range c.Spec.DependsOn {
		why, err := r.goesFirst(ctx, c, ref)
		if err != nil {
			return err
		}
		if why != "" {
			ahead = append(ahead, why)
		}
	}
	why, err := r.full(ctx, c)
	if err != nil {
		return err
	}
	if why != "" {
		ahead = append(ahead, why)
	}
	v.Ahead = strings.Join(ahead, "; ")
	return nil
}

// goesFirst says why a canary that this one depends on goes first; empty where it does not.
func (r *Reconciler) goesFirst(ctx context.Context, c *v1beta1.Canary, ref v1beta1.CrossNamespaceNameReference) (string, error) {
	key := dependency(c, ref)
	if err := r.outOfReach(c.Namespace, key); err != nil {
		return fmt.Sprintf("Canary %s (dependsOn): %s", key, err), nil
	}
	o := &v1beta1.Canary{}
	switch err := r.client.Get(ctx, key, o); {
	case apierrors.IsNotFound(err):
		return fmt.Sprintf("Canary %s does not exist (dependsOn): create it, or take it out", key), nil
	case err != nil:
		return "", fmt.Errorf("read Canary %s that goes first: %w", key, err)
	}
	switch {
	case running(o):
		return fmt.Sprintf("Canary %s has a rollout under way (dependsOn)", key), nil
	case o.Status.Phase == v1beta1.PhaseFailed:
		return fmt.Sprintf("the last rollout of Canary %s failed (dependsOn)", key), nil
	}
	first, see := &view{canary: o}, r.seeTarget
	if o.Spec.TargetRef.Kind == workload.KindService {
		see = r.seeServiceTarget
	}
	if err := see(ctx, first); err != nil {
		return "", err
	}
	switch name := first.Target.Revision.Name; {
	case name == "" && len(first.Problems) > 0:
		return fmt.Sprintf("Canary %s goes first (dependsOn), and what it would roll out is not known: %s", key, first.Problems[0].Message), nil
	case name == "", pending(o, name):
		return fmt.Sprintf("Canary %s has a new revision to roll out first (dependsOn)", key), nil
	}
	return "", nil
}

// full says that as many canaries of the group roll out as may; empty while there is room.
func (r *Reconciler) full(ctx context.Context, c *v1beta1.Canary) (string, error) {
	limit := c.Spec.Concurrency
	if limit == nil {
		return "", nil
	}
	var l v1beta1.CanaryList
	if err := r.client.List(ctx, &l, client.InNamespace(c.Namespace), client.MatchingFields{indexGroup: limit.Group}); err != nil {
		return "", fmt.Errorf("list canaries of group %q: %w", limit.Group, err)
	}
	var under []string
	for i := range l.Items {
		o := &v1beta1.Canary{}
		// One by one: what was just started must be seen.
		if err := r.client.Get(ctx, client.ObjectKeyFromObject(&l.Items[i]), o); client.IgnoreNotFound(err) != nil {
			return "", fmt.Errorf("read Canary %s of group %q: %w", l.Items[i].Name, limit.Group, err)
		}
		if o.UID != c.UID && running(o) {
			under = append(under, o.Name)
		}
	}
	if int32(len(under)) < limit.Max {
		return "", nil
	}
	slices.Sort(under)
	group := "of namespace " + c.Namespace
	if limit.Group != "" {
		group = "of group " + limit.Group
	}
	return fmt.Sprintf("%d of at most %d rollouts %s are under way: %s (concurrency)", len(under), limit.Max, group, strings.Join(under, ", ")), nil
}

// running is true from the first commit of a rollout or an adoption to its last.
func running(c *v1beta1.Canary) bool {
	r := c.Status.Rollout
	return c.Status.Initialization != nil || r != nil && r.EndedAt == nil
}

// pending is true where the template holds a revision that is to be rolled out.
func pending(c *v1beta1.Canary, revision string) bool {
	return c.Status.Release == nil && revision != "" && c.Status.LastPromotedSpec != "" && revision != c.Status.LastPromotedSpec && revision != c.Status.Rejected
}

func dependency(c *v1beta1.Canary, ref v1beta1.CrossNamespaceNameReference) types.NamespacedName {
	if ref.Namespace == "" {
		return types.NamespacedName{Namespace: c.Namespace, Name: ref.Name}
	}
	return types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name}
}

// groupsOf are the groups that a canary counts in: its own, and that of its whole namespace.
func groupsOf(c *v1beta1.Canary) []string {
	if l := c.Spec.Concurrency; l != nil && l.Group != "" {
		return []string{"", l.Group}
	}
	return []string{""}
}

// limitOf is the group whose limit a canary keeps: those without one wait for nobody.
func limitOf(c *v1beta1.Canary) []string {
	if c.Spec.Concurrency == nil {
		return nil
	}
	return []string{c.Spec.Concurrency.Group}
}

func dependenciesOf(c *v1beta1.Canary) []string {
	var keys []string
	for _, ref := range c.Spec.DependsOn {
		keys = append(keys, dependency(c, ref).String())
	}
	return keys
}

// cameToRest passes the moments at which those who wait for a canary may go on.
var cameToRest = predicate.Funcs{
	CreateFunc:  func(event.CreateEvent) bool { return false },
	GenericFunc: func(event.GenericEvent) bool { return false },
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*v1beta1.Canary)
		after, also := e.ObjectNew.(*v1beta1.Canary)
		return ok && also && (running(before) && !running(after) || before.Status.Phase == v1beta1.PhaseFailed && after.Status.Phase != v1beta1.PhaseFailed)
	},
}

// waitingFor finds the canaries that may have waited for one.
func (r *Reconciler) waitingFor(ctx context.Context, o client.Object) []reconcile.Request {
	c, ok := o.(*v1beta1.Canary)
	if !ok {
		return nil
	}
	found := r.find(ctx, "", client.MatchingFields{indexDependsOn: client.ObjectKeyFromObject(c).String()})
	for _, group := range groupsOf(c) {
		found = append(found, r.find(ctx, c.Namespace, client.MatchingFields{indexLimit: group})...)
	}
	return found
}

// startingAlone keeps canaries that share a limit from starting at the same moment: each sees what the
// others have committed.
func (r *Reconciler) startingAlone(c *v1beta1.Canary) (done func()) {
	if c.Spec.Concurrency == nil || running(c) {
		return func() {}
	}
	r.starting.Lock()
	return r.starting.Unlock
}
