package canary

import (
	"context"
	"fmt"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/rollout"
)

// keepBridge keeps the primary's addresses in the apex Service while its selector is turned. Without
// them the Service has no address for the moment in which its own slices lose the old pods and do
// not have the new ones yet, and whoever connects then is refused.
func (r *Reconciler) keepBridge(ctx context.Context, v *view, w rollout.World) error {
	if v.canary.Status.Initialization == nil || v.services.Apex == nil {
		return nil
	}
	var have discoveryv1.EndpointSliceList
	if err := r.client.List(ctx, &have, client.InNamespace(v.canary.Namespace), client.MatchingLabels{
		discoveryv1.LabelServiceName: v.canary.ApexName(), discoveryv1.LabelManagedBy: bridgeManager}); err != nil {
		return fmt.Errorf("list the bridge of Service %s: %w", v.canary.ApexName(), err)
	}
	switch {
	case w.Bridge && len(have.Items) == 0:
		return r.buildBridge(ctx, v)
	case !w.Bridge:
		for i := range have.Items {
			if err := r.client.Delete(ctx, &have.Items[i]); client.IgnoreNotFound(err) != nil {
				return fmt.Errorf("remove the bridge of Service %s: %w", v.canary.ApexName(), err)
			}
		}
	}
	return nil
}

// bridgeManager marks the slices as ours, so that no controller of Kubernetes touches them.
const bridgeManager = "serin.dev"

// buildBridge copies the slices of the primary's Service: same ports, same addresses.
func (r *Reconciler) buildBridge(ctx context.Context, v *view) error {
	var primary discoveryv1.EndpointSliceList
	if err := r.client.List(ctx, &primary, client.InNamespace(v.canary.Namespace),
		client.MatchingLabels{discoveryv1.LabelServiceName: v.canary.PrimaryServiceName()}); err != nil {
		return fmt.Errorf("list endpoints of Service %s: %w", v.canary.PrimaryServiceName(), err)
	}
	for i := range primary.Items {
		from := &primary.Items[i]
		s := &discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: v.canary.Namespace,
				Name:      fmt.Sprintf("%s-bridge-%s-%d", v.canary.ApexName(), strings.ToLower(string(from.AddressType)), i),
				Labels: map[string]string{discoveryv1.LabelServiceName: v.canary.ApexName(), discoveryv1.LabelManagedBy: bridgeManager,
					v1beta1.CanaryLabel: v1beta1.LabelValue(v.canary.Name)},
			},
			AddressType: from.AddressType, Endpoints: from.Endpoints, Ports: from.Ports,
		}
		if err := r.client.Create(ctx, s, client.FieldOwner(v1beta1.FieldManager)); err != nil {
			return fmt.Errorf("bridge Service %s: %w", v.canary.ApexName(), err)
		}
	}
	return nil
}
