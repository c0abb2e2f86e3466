// Package object is how routers write what they share with users: read unstructured, changed in the
// few places that are ours, and sent as the difference to what was read, with its resourceVersion as
// precondition. Fields that nobody here knows survive.
package object

import (
	"context"
	"fmt"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
)

// New returns an empty object of a kind.
func New(kind schema.GroupVersionKind) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(kind)
	return u
}

// Title names an object in messages.
func Title(u *unstructured.Unstructured) string {
	return u.GetKind() + " " + client.ObjectKeyFromObject(u).String()
}

// Create makes an object that the cache does not have. One that is there after all is a conflict with
// a cache that lags, not a fault. A field that the cluster's schema does not know is refused: it would
// be dropped in silence.
func Create(ctx context.Context, c client.Client, u *unstructured.Unstructured) error {
	err := c.Create(ctx, u, client.FieldOwner(v1beta1.FieldManager), strict)
	if apierrors.IsAlreadyExists(err) {
		gk := u.GroupVersionKind().GroupKind()
		err = apierrors.NewConflict(schema.GroupResource{Group: gk.Group, Resource: gk.Kind}, u.GetName(), err)
	}
	if err != nil {
		return fmt.Errorf("create %s: %w", Title(u), err)
	}
	return nil
}

// Patch sends what differs, on the condition that nobody wrote since the object was read.
func Patch(ctx context.Context, c client.Client, live, wanted *unstructured.Unstructured) error {
	diff := client.MergeFromWithOptions(live, client.MergeFromWithOptimisticLock{})
	if err := c.Patch(ctx, wanted, diff, client.FieldOwner(v1beta1.FieldManager), strict); err != nil {
		return fmt.Errorf("write %s: %w", Title(live), err)
	}
	return nil
}

const strict = client.FieldValidation(metav1.FieldValidationStrict)

// Refused reports whether the API server refused what an object says, in words for the user: asking
// again changes nothing.
func Refused(err error) bool { return apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) }

// KindGone reports whether the API server does not know a kind that it knew: its CRD was removed. What
// a cache still has of it, or has no more, says nothing then.
func KindGone(err error) bool {
	return meta.IsNoMatchError(err) ||
		apierrors.IsNotFound(err) && apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}

// StampOf is the transition that an object was last written for. It is 0 where no number stands: what
// is not ours overtakes nobody.
func StampOf(u *unstructured.Unstructured) router.Stamp {
	n, err := strconv.ParseInt(u.GetAnnotations()[v1beta1.TransitionAnnotation], 10, 64)
	if err != nil {
		return 0
	}
	return router.Stamp(n)
}

// SetStamp marks an object with the transition that it is written for.
func SetStamp(u *unstructured.Unstructured, s router.Stamp) {
	SetAnnotations(u, map[string]string{v1beta1.TransitionAnnotation: strconv.FormatInt(int64(s), 10)})
}
