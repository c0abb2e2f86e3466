package gloo

import (
	"context"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// create makes an object that the cache does not have. One that is there after all is a conflict
// with a cache that lags, not a fault.
func (r *Router) create(ctx context.Context, u *unstructured.Unstructured) error {
	err := r.client.Create(ctx, u, client.FieldOwner(v1beta1.FieldManager))
	if apierrors.IsAlreadyExists(err) {
		gk := u.GroupVersionKind().GroupKind()
		err = apierrors.NewConflict(schema.GroupResource{Group: gk.Group, Resource: gk.Kind}, u.GetName(), err)
	}
	if err != nil {
		return fmt.Errorf("create %s: %w", title(u), err)
	}
	return nil
}

// patch sends what differs, on the condition that nobody wrote since the object was read. Status
// never differs, so it is never sent.
func (r *Router) patch(ctx context.Context, live, wanted *unstructured.Unstructured) error {
	diff := client.MergeFromWithOptions(live, client.MergeFromWithOptimisticLock{})
	if err := r.client.Patch(ctx, wanted, diff, client.FieldOwner(v1beta1.FieldManager)); err != nil {
		return fmt.Errorf("write %s: %w", title(live), err)
	}
	return nil
}

func title(u *unstructured.Unstructured) string {
	return u.GetKind() + " " + client.ObjectKeyFromObject(u).String()
}

func setLabels(u *unstructured.Unstructured, add map[string]string) {
	if len(add) > 0 {
		u.SetLabels(merged(u.GetLabels(), add))
	}
}

func setAnnotations(u *unstructured.Unstructured, add map[string]string) {
	if len(add) > 0 {
		u.SetAnnotations(merged(u.GetAnnotations(), add))
	}
}

func removeAnnotations(u *unstructured.Unstructured, keys ...string) {
	u.SetAnnotations(without(u.GetAnnotations(), keys...))
}

func merged(m, add map[string]string) map[string]string {
	all := maps.Clone(m)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, add)
	return all
}

// without returns nil for an empty rest, so that an untouched object stays equal to what was read.
func without(m map[string]string, keys ...string) map[string]string {
	rest := maps.Clone(m)
	for _, k := range keys {
		delete(rest, k)
	}
	if len(rest) == 0 {
		return nil
	}
	return rest
}

// dropCanaryOwners removes owner references to a Canary of any group: an earlier tool set them.
func dropCanaryOwners(u *unstructured.Unstructured) {
	owners := u.GetOwnerReferences()
	kept := slices.DeleteFunc(slices.Clone(owners), func(o metav1.OwnerReference) bool { return o.Kind == "Canary" })
	switch {
	case len(kept) == len(owners):
	case len(kept) == 0:
		unstructured.RemoveNestedField(u.Object, "metadata", "ownerReferences")
	default:
		u.SetOwnerReferences(kept)
	}
}
