package object

import (
	"context"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// Canaries lists those that an object concerns. The options narrow down whom to look at: there can be
// thousands, and this runs for every event.
func Canaries(ctx context.Context, c client.Reader, concerned func(*v1beta1.Canary) bool, narrow ...client.ListOption) []types.NamespacedName {
	var list v1beta1.CanaryList
	if err := c.List(ctx, &list, append(narrow, client.UnsafeDisableDeepCopy)...); err != nil {
		log.FromContext(ctx).Error(err, "list canaries")
		return nil
	}
	var found []types.NamespacedName
	for i := range list.Items {
		if concerned(&list.Items[i]) {
			found = append(found, client.ObjectKeyFromObject(&list.Items[i]))
		}
	}
	return found
}

// Orphan is true of an object whose label names a Canary that does not exist any more.
func Orphan(ctx context.Context, c client.Reader, obj client.Object) bool {
	if obj.GetLabels()[v1beta1.CanaryLabel] == "" {
		return false
	}
	err := c.Get(ctx, named(obj), &v1beta1.Canary{})
	return apierrors.IsNotFound(err) && len(byLabel(ctx, c, obj)) == 0
}

// Labelled is the canary that an object's label names. A long name has been cut in the label, with a
// tail of a dash and ten digits: it is looked up.
func Labelled(ctx context.Context, c client.Reader, obj client.Object) []types.NamespacedName {
	label := obj.GetLabels()[v1beta1.CanaryLabel]
	if label == "" {
		return nil
	}
	const tail = 11
	if len(label) <= tail || label[len(label)-tail] != '-' {
		return []types.NamespacedName{named(obj)}
	}
	found := byLabel(ctx, c, obj)
	if slices.Contains(found, named(obj)) {
		return found
	}
	return append([]types.NamespacedName{named(obj)}, found...)
}

// named is the canary whose name an object's label has, unless it was cut.
func named(obj client.Object) types.NamespacedName {
	return types.NamespacedName{Namespace: obj.GetNamespace(), Name: obj.GetLabels()[v1beta1.CanaryLabel]}
}

func byLabel(ctx context.Context, c client.Reader, obj client.Object) []types.NamespacedName {
	label := obj.GetLabels()[v1beta1.CanaryLabel]
	return Canaries(ctx, c, func(c *v1beta1.Canary) bool { return v1beta1.LabelValue(c.Name) == label }, client.InNamespace(obj.GetNamespace()))
}

// OfApex are the canaries whose traffic a route of that name has, or will have.
func OfApex(ctx context.Context, c client.Reader, route client.Object) []types.NamespacedName {
	return Canaries(ctx, c, func(c *v1beta1.Canary) bool { return c.ApexName() == route.GetName() }, client.InNamespace(route.GetNamespace()))
}
