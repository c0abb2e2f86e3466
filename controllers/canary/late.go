package canary

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// sweepLate removes what was made too late for a Canary that is gone: by an operator that stood still in
// front of the write while another one released it, and woke. That one comes here next. It is only about
// what serves for a moment; a bridge would go on sending users to addresses that nobody has any more. The
// caches may not show it yet.
func (r *Reconciler) sweepLate(ctx context.Context, name types.NamespacedName) error {
	ours := client.MatchingLabels{v1beta1.CanaryLabel: v1beta1.LabelValue(name.Name)}
	var bridges discoveryv1.EndpointSliceList
	if err := r.live.List(ctx, &bridges, client.InNamespace(name.Namespace), ours, client.MatchingLabels{discoveryv1.LabelManagedBy: bridgeManager}); err != nil {
		return fmt.Errorf("list bridges that Canary %s left: %w", name, err)
	}
	var probes corev1.ServiceList
	if err := r.live.List(ctx, &probes, client.InNamespace(name.Namespace), ours, client.MatchingLabels{v1beta1.RoleLabel: v1beta1.RoleRelease}); err != nil {
		return fmt.Errorf("list Services that Canary %s left: %w", name, err)
	}
	var late []client.Object
	for i := range bridges.Items {
		late = append(late, &bridges.Items[i])
	}
	for i := range probes.Items {
		late = append(late, &probes.Items[i])
	}
	for _, o := range late {
		if err := r.client.Delete(ctx, o); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("remove %s, which was made too late: %w", client.ObjectKeyFromObject(o), err)
		}
	}
	return nil
}
