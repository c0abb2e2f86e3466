package object

import (
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// SetLabels adds labels; the others stay.
func SetLabels(u *unstructured.Unstructured, add map[string]string) {
	if len(add) > 0 {
		u.SetLabels(merged(u.GetLabels(), add))
	}
}

// SetAnnotations adds annotations; the others stay.
func SetAnnotations(u *unstructured.Unstructured, add map[string]string) {
	if len(add) > 0 {
		u.SetAnnotations(merged(u.GetAnnotations(), add))
	}
}

// RemoveLabels takes labels away.
func RemoveLabels(u *unstructured.Unstructured, keys ...string) {
	u.SetLabels(without(u.GetLabels(), keys...))
}

// RemoveAnnotations takes annotations away.
func RemoveAnnotations(u *unstructured.Unstructured, keys ...string) {
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

// CanaryOwned reports whether a Canary of any group owns the object.
func CanaryOwned(u *unstructured.Unstructured) bool {
	return slices.ContainsFunc(u.GetOwnerReferences(), isCanary)
}

// DropCanaryOwners removes owner references to a Canary of any group: an earlier tool set them, and
// with them the object would be collected while it serves.
func DropCanaryOwners(u *unstructured.Unstructured) {
	owners := u.GetOwnerReferences()
	kept := slices.DeleteFunc(slices.Clone(owners), isCanary)
	switch {
	case len(kept) == len(owners):
	case len(kept) == 0:
		unstructured.RemoveNestedField(u.Object, "metadata", "ownerReferences")
	default:
		u.SetOwnerReferences(kept)
	}
}

func isCanary(o metav1.OwnerReference) bool { return o.Kind == "Canary" }
