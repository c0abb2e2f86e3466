package object

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// Canaries lists those that an object concerns.
func Canaries(ctx context.Context, c client.Reader, concerned func(*v1beta1.Canary) bool) []types.NamespacedName {
	var list v1beta1.CanaryList
	if err := c.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
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
	return obj.GetLabels()[v1beta1.CanaryLabel] != "" && len(byLabel(ctx, c, obj)) == 0
}

// Labelled is the canary that an object's label names. A long name has been cut in the label, with a
// tail of a dash and ten digits: it is looked up.
func Labelled(ctx context.Context, c client.Reader, obj client.Object) []types.NamespacedName {
	label := obj.GetLabels()[v1beta1.CanaryLabel]
	if label == "" {
		return nil
	}
	named := types.NamespacedName{Namespace: obj.GetNamespace(), Name: label}
	const tail = 11
	if len(label) <= tail || label[len(label)-tail] != '-' {
		return []types.NamespacedName{named}
	}
	found := byLabel(ctx, c, obj)
	if slices.Contains(found, named) {
		return found
	}
	return append([]types.NamespacedName{named}, found...)
}

func byLabel(ctx context.Context, c client.Reader, obj client.Object) []types.NamespacedName {
	label := obj.GetLabels()[v1beta1.CanaryLabel]
	return Canaries(ctx, c, func(c *v1beta1.Canary) bool {
		return c.Namespace == obj.GetNamespace() && v1beta1.LabelValue(c.Name) == label
	})
}
