package gloo

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router/internal/object"
)

// create makes an object that the cache does not have. One that is there after all is a conflict
// with a cache that lags, not a fault.
func (r *Router) create(ctx context.Context, u *unstructured.Unstructured) error {
	err := r.client.Create(ctx, u, client.FieldOwner(v1beta1.FieldManager))
	if apierrors.IsAlreadyExists(err) {
		gk := u.GroupVersionKind().GroupKind()
		err = apierrors.NewConflict(schema.GroupResource{Group: gk.Group, Resource: gk.Kind}, u.GetName(), err)
	}
	if object.KindGone(err) {
		return notInstalled([]string{named(u.GroupVersionKind())})
	}
	if err != nil {
		return fmt.Errorf("create %s: %w", object.Title(u), err)
	}
	return nil
}

// patch sends what differs, on the condition that nobody wrote since the object was read. Status
// never differs, so it is never sent.
func (r *Router) patch(ctx context.Context, live, wanted *unstructured.Unstructured) error {
	diff := client.MergeFromWithOptions(live, client.MergeFromWithOptimisticLock{})
	err := r.client.Patch(ctx, wanted, diff, client.FieldOwner(v1beta1.FieldManager))
	if object.KindGone(err) {
		return notInstalled([]string{named(live.GroupVersionKind())})
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", object.Title(live), err)
	}
	return nil
}
