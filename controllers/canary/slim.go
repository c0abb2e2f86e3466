package canary

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// slim is how objects are cached, for with ten thousand canaries there are more than a hundred thousand of
// them: without managed fields and kubectl's second copy, and packed where they are maps in maps. What is
// written are differences, so that nothing which is missing here goes missing there.
func slim(in any) (any, error) {
	o, err := meta.Accessor(in)
	if err != nil {
		return in, nil //nolint:nilerr // a tombstone: there is nothing to take off it
	}
	o.SetManagedFields(nil)
	if a := o.GetAnnotations(); a[corev1.LastAppliedConfigAnnotation] != "" {
		delete(a, corev1.LastAppliedConfigAnnotation)
		o.SetAnnotations(a)
	}
	switch o := in.(type) {
	case *v1beta1.Canary:
		return o.DeepCopy(), nil // decoded slices have up to twice the room that they need
	case *unstructured.Unstructured:
		return pack(o)
	}
	return in, nil
}

// packed is the field that has a packed object as JSON, about a quarter of what it takes as maps.
const packed = "packed"

// pack leaves what informers, label selectors and mappings look at, and the object itself as text.
func pack(u *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if _, done := u.Object[packed]; done {
		return u, nil
	}
	text, err := u.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("pack %s %s: %w", u.GetKind(), client.ObjectKeyFromObject(u), err)
	}
	p := &unstructured.Unstructured{Object: map[string]any{packed: string(text)}}
	p.SetGroupVersionKind(u.GroupVersionKind())
	p.SetNamespace(u.GetNamespace())
	p.SetName(u.GetName())
	p.SetResourceVersion(u.GetResourceVersion())
	p.SetLabels(u.GetLabels())
	return p, nil
}

// unpack makes a packed object whole again, and changes nothing that it shares with the cache.
func unpack(u *unstructured.Unstructured) error {
	text, ok := u.Object[packed].(string)
	if !ok {
		return nil
	}
	whole := &unstructured.Unstructured{}
	if err := whole.UnmarshalJSON([]byte(text)); err != nil {
		return fmt.Errorf("unpack %s %s: %w", u.GetKind(), client.ObjectKeyFromObject(u), err)
	}
	u.Object = whole.Object
	return nil
}

// unpacked is the whole of an object out of the cache, which stays as it is.
func unpacked(o client.Object) client.Object {
	u, ok := o.(*unstructured.Unstructured)
	if !ok {
		return o
	}
	whole := *u
	if err := unpack(&whole); err != nil { // written by pack
		panic(err)
	}
	return &whole
}

// unpacking maps whole objects.
func unpacking(to handler.MapFunc) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request { return to(ctx, unpacked(o)) })
}

// unpackAll makes the objects of a list whole.
func unpackAll(list client.ObjectList) error {
	l, ok := list.(*unstructured.UnstructuredList)
	if !ok {
		return nil
	}
	for i := range l.Items {
		if err := unpack(&l.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

// countable strips a pod's metadata down to what pods of a revision are counted by.
func countable(in any) (any, error) {
	m, ok := in.(*metav1.PartialObjectMetadata)
	if !ok {
		return in, nil
	}
	m.ManagedFields, m.OwnerReferences, m.Finalizers, m.Annotations, m.GenerateName = nil, nil, nil, nil, ""
	m.Labels = only(m.Labels, v1beta1.CanaryLabel, v1beta1.RevisionLabel)
	return m, nil
}
