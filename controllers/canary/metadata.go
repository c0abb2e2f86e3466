package canary

import (
	"context"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/configs"
	"github.com/serin-dev/serin/pkg/workload"
)

// trackedKinds are the kinds whose metadata is watched.
func (r *Reconciler) trackedKinds() []configs.Kind {
	switch {
	case !r.TrackConfigs:
		return nil
	case len(r.SecretNamespaces) == 0:
		return []configs.Kind{configs.ConfigMap}
	}
	return []configs.Kind{configs.ConfigMap, configs.Secret}
}

// configChanged wakes the canaries whose targets refer to what changed.
func (r *Reconciler) configChanged(kind configs.Kind) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
		referring := client.MatchingFields{indexConfigs: configs.ID{Kind: kind, Name: o.GetName()}.String()}
		var woken []reconcile.Request
		for _, l := range []client.ObjectList{&appsv1.DeploymentList{}, &appsv1.DaemonSetList{}} {
			if err := r.client.List(ctx, l, client.InNamespace(o.GetNamespace()), referring); err != nil {
				ctrl.LoggerFrom(ctx).Error(err, "list what refers to a changed object")
				continue
			}
			_ = meta.EachListItem(l, func(w runtime.Object) error {
				woken = append(woken, r.find(ctx, o.GetNamespace(), client.MatchingFields{indexTarget: targetKey(w.(client.Object))})...)
				return nil
			})
		}
		return woken
	})
}

// configKeys are the index keys of what a workload refers to.
func configKeys(o client.Object) []string {
	if made(o) { // a clone, which reads copies
		return nil
	}
	var keys []string
	for _, ref := range configs.Find(workload.Of(o).Template()) {
		keys = append(keys, ref.String())
	}
	return keys
}

// bare strips metadata down to what tracking is decided by. Annotations of kubectl hold contents.
func bare(in any) (any, error) {
	m, ok := in.(*metav1.PartialObjectMetadata)
	if !ok {
		return in, nil
	}
	m.OwnerReferences, m.Finalizers = nil, nil
	m.Annotations, m.Labels = only(m.Annotations, keptKeys...), only(m.Labels, keptKeys...)
	return slim(m)
}

var keptKeys = append(slices.Clone(configs.Used), configs.CopyOfAnnotation, v1beta1.CanaryLabel)

func only(in map[string]string, keys ...string) map[string]string {
	var out map[string]string
	for _, k := range keys {
		if v, ok := in[k]; ok {
			if out == nil {
				out = map[string]string{}
			}
			out[k] = v
		}
	}
	return out
}
