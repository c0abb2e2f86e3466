package canary

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/rollout"
	"github.com/serin-dev/serin/pkg/workload"
)

// compareImages reads the pods of both sides live, once: the cache has their metadata only.
func (r *Reconciler) compareImages(ctx context.Context, in inquiry) rollout.Images {
	c := in.canary
	if c.Spec.TargetRef.Kind == workload.KindService {
		return rollout.Images{Known: true} // where a Service leads, others run the pods
	}
	var l corev1.PodList
	if err := r.live.List(ctx, &l, client.InNamespace(c.Namespace), client.MatchingLabels{
		v1beta1.CanaryLabel:   v1beta1.LabelValue(c.Name),
		v1beta1.RevisionLabel: v1beta1.LabelValue(c.Status.Rollout.Revision.Name),
	}); err != nil {
		return rollout.Images{Message: fmt.Sprintf("list pods in %s: %v", c.Namespace, err)}
	}
	by := map[string][]corev1.Pod{}
	for _, p := range l.Items {
		by[p.Labels[v1beta1.RoleLabel]] = append(by[p.Labels[v1beta1.RoleLabel]], p)
	}
	canary, primary := by[v1beta1.RoleCanary], by[v1beta1.RolePrimary]
	drift, known := workload.ImageDrift(canary, primary)
	if !known {
		return rollout.Images{Message: fmt.Sprintf("%d pods of the canary and %d of the primary show what they run", len(canary), len(primary))}
	}
	return rollout.Images{Known: true, Drift: drift}
}
