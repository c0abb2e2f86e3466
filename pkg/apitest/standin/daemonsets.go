package standin

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// nodes is how many there are. None of them has a label: a node selector fits no node.
const nodes = 3

// daemonSets report on the pods of DaemonSets.
type daemonSets struct{ kubelet }

func (d *daemonSets) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var set appsv1.DaemonSet
	if err := d.client.Get(ctx, req.NamespacedName, &set); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	o := owner{Object: &set, template: &set.Spec.Template, want: nodes}
	if len(set.Spec.Template.Spec.NodeSelector) > 0 {
		o.want = 0
	}
	return d.keep(ctx, o, func(have pods) error { return d.report(ctx, &set, have, int32(o.want)) })
}

// report counts as the real one does: on a node that has a pod of each template, the older one.
func (d *daemonSets) report(ctx context.Context, set *appsv1.DaemonSet, have pods, want int32) error {
	fresh, old := int32(len(have.fresh)), int32(len(have.old))
	status := appsv1.DaemonSetStatus{
		ObservedGeneration:     set.Generation,
		DesiredNumberScheduled: want,
		CurrentNumberScheduled: min(max(fresh, old), want),
		UpdatedNumberScheduled: max(min(fresh, want)-old, 0),
		NumberReady:            min(max(int32(count(have.fresh)), int32(count(have.old))), want),
	}
	status.NumberAvailable = status.NumberReady
	status.NumberUnavailable = want - status.NumberAvailable
	if equality.Semantic.DeepEqual(set.Status, status) {
		return nil
	}
	set.Status = status
	return d.client.Status().Update(ctx, set)
}
