package canary

import (
	"context"
	"fmt"
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/rollout"
)

// keepBridge keeps the addresses of the side that the apex Service is turned to in it meanwhile, as that
// side has them: a pod that goes away leaves it. Without them the Service has no address for the moment in
// which its own slices lose the old pods and do not have the new ones yet, and whoever connects then is
// refused. At any other time none may stand: one that was made late would keep addresses that are gone.
func (r *Reconciler) keepBridge(ctx context.Context, v *view, w rollout.World) error {
	if v.services.Apex == nil {
		return nil
	}
	apex := v.canary.ApexName()
	have, err := r.slicesOf(ctx, v.canary.Namespace, apex, true)
	if err != nil {
		return err
	}
	var wanted []string
	if w.Bridge != "" {
		if wanted, err = r.bridge(ctx, v.canary, v.services.Name(w.Bridge), apex, w.Bridge, have...); err != nil {
			return err
		}
	}
	for i := range have {
		// One whose originals are not seen at the moment stays.
		if slices.Contains(wanted, have[i].Name) || len(wanted) == 0 && w.Bridge != "" && have[i].Labels[v1beta1.RoleLabel] == w.Bridge {
			continue
		}
		if err := r.remove(ctx, &have[i]); err != nil {
			return err
		}
	}
	return nil
}

// bridgeManager marks the slices as ours, so that no controller of Kubernetes touches them.
const bridgeManager = "serin.dev"

// bridge copies the slices of one Service to another, but for those whose copies there are: same ports,
// same addresses. It returns the copies' names, which change with the originals, so that the next copy
// stands before the last one goes.
func (r *Reconciler) bridge(ctx context.Context, c *v1beta1.Canary, from, to, role string, have ...discoveryv1.EndpointSlice) (names []string, err error) {
	originals, err := r.slicesOf(ctx, c.Namespace, from, false)
	if err != nil {
		return nil, err
	}
	for _, from := range originals {
		name := fmt.Sprintf("%s-bridge-%s-%s", to, from.Name, from.ResourceVersion)
		names = append(names, name)
		if slices.ContainsFunc(have, func(s discoveryv1.EndpointSlice) bool { return s.Name == name }) {
			continue
		}
		s := &discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: c.Namespace, Name: name,
				Labels: map[string]string{discoveryv1.LabelServiceName: to, discoveryv1.LabelManagedBy: bridgeManager,
					v1beta1.CanaryLabel: v1beta1.LabelValue(c.Name), v1beta1.RoleLabel: role},
			},
			AddressType: from.AddressType, Endpoints: from.Endpoints, Ports: from.Ports,
		}
		if err := r.client.Create(ctx, s, client.FieldOwner(v1beta1.FieldManager)); client.IgnoreAlreadyExists(err) != nil {
			return nil, fmt.Errorf("bridge Service %s: %w", to, err)
		}
	}
	return names, nil
}

// hold keeps the addresses that one Service has now in another, or in itself, while that is led
// elsewhere. What is held already stays.
func (r *Reconciler) hold(ctx context.Context, c *v1beta1.Canary, from, in string) error {
	have, err := r.slicesOf(ctx, c.Namespace, in, true)
	if err != nil || len(have) > 0 {
		return err
	}
	_, err = r.bridge(ctx, c, from, in, v1beta1.RolePrimary)
	return err
}

func (r *Reconciler) removeBridge(ctx context.Context, c *v1beta1.Canary, service string) error {
	have, err := r.slicesOf(ctx, c.Namespace, service, true)
	if err != nil {
		return err
	}
	for i := range have {
		if err := r.remove(ctx, &have[i]); err != nil {
			return err
		}
	}
	return nil
}

// slicesOf are a Service's slices: those of its bridge, or those that the cluster keeps.
func (r *Reconciler) slicesOf(ctx context.Context, namespace, service string, bridge bool) ([]discoveryv1.EndpointSlice, error) {
	var l discoveryv1.EndpointSliceList
	if err := r.client.List(ctx, &l, client.InNamespace(namespace), client.MatchingLabels{discoveryv1.LabelServiceName: service}); err != nil {
		return nil, fmt.Errorf("list endpoints of Service %s/%s: %w", namespace, service, err)
	}
	return slices.DeleteFunc(l.Items, func(s discoveryv1.EndpointSlice) bool {
		return (s.Labels[discoveryv1.LabelManagedBy] == bridgeManager) != bridge
	}), nil
}
