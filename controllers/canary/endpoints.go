package canary

import (
	"context"
	"fmt"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// endpoints counts the ready addresses of a Service whose pods carry the revision's label. A count
// of addresses alone may be the older revision's.
func (r *Reconciler) endpoints(ctx context.Context, namespace, service, rev string) (int32, error) {
	pods, err := r.podsOf(ctx, namespace, rev)
	if err != nil {
		return 0, err
	}
	return r.readyIn(ctx, namespace, service, pods)
}

// readyIn counts the ready addresses of a Service that belong to one of the pods.
func (r *Reconciler) readyIn(ctx context.Context, namespace, service string, pods map[string]bool) (int32, error) {
	var slices discoveryv1.EndpointSliceList
	if err := r.client.List(ctx, &slices, client.InNamespace(namespace),
		client.MatchingLabels{discoveryv1.LabelServiceName: service}); err != nil {
		return 0, fmt.Errorf("list endpoints of Service %s/%s: %w", namespace, service, err)
	}
	ready := map[string]bool{} // a dual-stack Service lists each pod once a family
	for i := range slices.Items {
		for _, e := range slices.Items[i].Endpoints {
			if ptr.Deref(e.Conditions.Ready, true) && e.TargetRef != nil && pods[e.TargetRef.Name] {
				ready[e.TargetRef.Name] = true
			}
		}
	}
	return int32(len(ready)), nil
}

func (r *Reconciler) podsOf(ctx context.Context, namespace, rev string) (map[string]bool, error) {
	l := &metav1.PartialObjectMetadataList{}
	l.SetGroupVersionKind(podMetadata().GroupVersionKind().GroupVersion().WithKind("PodList"))
	if err := r.client.List(ctx, l, client.InNamespace(namespace),
		client.MatchingLabels{v1beta1.RevisionLabel: v1beta1.LabelValue(rev)}); err != nil {
		return nil, fmt.Errorf("list pods of revision %s/%s: %w", namespace, rev, err)
	}
	names := make(map[string]bool, len(l.Items))
	for i := range l.Items {
		names[l.Items[i].Name] = true
	}
	return names, nil
}

func podMetadata() *metav1.PartialObjectMetadata {
	m := &metav1.PartialObjectMetadata{}
	m.APIVersion, m.Kind = "v1", "Pod"
	return m
}

func labelExists(key string) labels.Selector {
	req, err := labels.NewRequirement(key, selection.Exists, nil)
	if err != nil { // the keys are ours
		panic(err)
	}
	return labels.NewSelector().Add(*req)
}
