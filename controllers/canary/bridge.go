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

// keepBridge keeps the addresses of the side that the apex Service is turned to in it meanwhile. Without
// them the Service has no address for the moment in which its own slices lose the old pods and do
// not have the new ones yet, and whoever connects then is refused.
func (r *Reconciler) keepBridge(ctx context.Context, v *view, w rollout.World) error {
	s := &v.canary.Status
	if s.Initialization == nil && s.Release == nil || v.services.Apex == nil {
		return nil
	}
	var have discoveryv1.EndpointSliceList
	if err := r.client.List(ctx, &have, client.InNamespace(v.canary.Namespace), client.MatchingLabels{
		discoveryv1.LabelServiceName: v.canary.ApexName(), discoveryv1.LabelManagedBy: bridgeManager}); err != nil {
		return fmt.Errorf("list the bridge of Service %s: %w", v.canary.ApexName(), err)
	}
	stands := false
	for i := range have.Items {
		if w.Bridge != "" && have.Items[i].Labels[v1beta1.RoleLabel] == w.Bridge {
			stands = true
		} else if err := r.client.Delete(ctx, &have.Items[i]); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("remove the bridge of Service %s: %w", v.canary.ApexName(), err)
		}
	}
	if w.Bridge == "" || stands {
		return nil
	}
	return r.buildBridge(ctx, v, w.Bridge)
}

// bridgeManager marks the slices as ours, so that no controller of Kubernetes touches them.
const bridgeManager = "serin.dev"

// buildBridge copies the slices of a role's Service: same ports, same addresses.
func (r *Reconciler) buildBridge(ctx context.Context, v *view, role string) error {
	var side discoveryv1.EndpointSliceList
	if err := r.client.List(ctx, &side, client.InNamespace(v.canary.Namespace),
		client.MatchingLabels{discoveryv1.LabelServiceName: v.services.Name(role)}); err != nil {
		return fmt.Errorf("list endpoints of Service %s: %w", v.services.Name(role), err)
	}
	for i := range side.Items {
		from := &side.Items[i]
		s := &discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: v.canary.Namespace,
				Name:      fmt.Sprintf("%s-bridge-%s-%s-%d", v.canary.ApexName(), role, strings.ToLower(string(from.AddressType)), i),
				Labels: map[string]string{discoveryv1.LabelServiceName: v.canary.ApexName(), discoveryv1.LabelManagedBy: bridgeManager,
					v1beta1.CanaryLabel: v1beta1.LabelValue(v.canary.Name), v1beta1.RoleLabel: role},
			},
			AddressType: from.AddressType, Endpoints: from.Endpoints, Ports: from.Ports,
		}
		if err := r.client.Create(ctx, s, client.FieldOwner(v1beta1.FieldManager)); err != nil {
			return fmt.Errorf("bridge Service %s: %w", v.canary.ApexName(), err)
		}
	}
	return nil
}
