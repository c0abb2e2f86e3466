package canary

import (
	"context"
	"fmt"

	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/rollout"
	"github.com/serin-dev/serin/pkg/workload"
)

// keepBudgets gives the primary's pods the PodDisruptionBudgets that the target's had: their selectors
// have the label that is rewritten. A copy follows its original, and goes with it.
func (r *Reconciler) keepBudgets(ctx context.Context, v *view, w rollout.World) error {
	if w.Primary == nil || v.target == nil || v.label.Key == "" {
		return nil
	}
	var all policyv1.PodDisruptionBudgetList
	if err := r.client.List(ctx, &all, client.InNamespace(v.canary.Namespace)); err != nil {
		return fmt.Errorf("list PodDisruptionBudgets beside %s: %w", v.target.GetName(), err)
	}
	live := map[string]*policyv1.PodDisruptionBudget{}
	stale := map[string]*policyv1.PodDisruptionBudget{}
	for i := range all.Items {
		b := &all.Items[i]
		live[b.Name] = b
		if b.Labels[v1beta1.CanaryLabel] == v1beta1.LabelValue(v.canary.Name) && made(b) {
			stale[b.Name] = b
		}
	}
	for i := range all.Items {
		want := workload.Budget(v.canary, v.label, v.target, &all.Items[i])
		if want == nil {
			continue
		}
		delete(stale, want.Name)
		if err := r.keepBudget(ctx, live[want.Name], want); err != nil {
			return err
		}
	}
	for _, b := range stale {
		if err := r.client.Delete(ctx, b); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("remove PodDisruptionBudget %s/%s, whose original is gone: %w", b.Namespace, b.Name, err)
		}
	}
	return nil
}

func (r *Reconciler) keepBudget(ctx context.Context, live, want *policyv1.PodDisruptionBudget) error {
	if live != nil && (live.Labels[v1beta1.CanaryLabel] == "" || workload.SameBudget(live, want)) {
		return nil // one of the user's that has the name is theirs
	}
	if err := r.client.Patch(ctx, want, client.Apply, client.FieldOwner(v1beta1.FieldManager), client.ForceOwnership); err != nil { //nolint:staticcheck // see keepServices
		return fmt.Errorf("apply PodDisruptionBudget %s/%s: %w", want.Namespace, want.Name, err)
	}
	return nil
}
