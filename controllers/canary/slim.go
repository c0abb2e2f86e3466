package canary

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// slim is how objects are cached, for with ten thousand canaries there are more than a hundred thousand of
// them: packed, and without managed fields and kubectl's second copy. What is written are differences, so that
// nothing which is missing here goes missing there. Canaries are left as they are: each event looks for some,
// and reads them where they lie.
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
	case *packed: // by an informer that does it twice
		return o, nil
	case *v1beta1.Canary:
		return o.DeepCopy(), nil // decoded slices have up to twice the room that they need
	case *unstructured.Unstructured:
		b, err := o.MarshalJSON()
		return pack(o, b, err)
	case protobuf:
		b, err := o.Marshal()
		return pack(o, b, err)
	}
	return in, nil
}

// protobuf is implemented by Kubernetes' own kinds.
type protobuf interface {
	client.Object
	Marshal() ([]byte, error)
	Unmarshal(data []byte) error
}

// packed is an object as bytes, a quarter to a half of what it takes otherwise, beside the metadata that
// informers, selectors, predicates and most mappings go by. Its copy is the whole object, and copies are what
// a cache hands out.
type packed struct {
	metav1.ObjectMeta
	kind reflect.Type
	// labels are keys and values in turn, each with a zero byte behind it: a map of three takes half a KiB.
	labels string
	// annotated objects have a map of annotations, even if nothing is left in it: an added annotation is a
	// patch that would otherwise replace what is there.
	annotated bool
	bytes     []byte
}

func pack(o client.Object, b []byte, err error) (client.Object, error) {
	if err != nil {
		return nil, fmt.Errorf("pack %T %s: %w", o, client.ObjectKeyFromObject(o), err)
	}
	var labels strings.Builder
	for k, v := range o.GetLabels() {
		labels.WriteString(k + "\x00" + v + "\x00")
	}
	return &packed{
		ObjectMeta: metav1.ObjectMeta{Namespace: o.GetNamespace(), Name: o.GetName(), ResourceVersion: o.GetResourceVersion(), Generation: o.GetGeneration()},
		kind:       reflect.TypeOf(o).Elem(), labels: strings.Clone(labels.String()), annotated: o.GetAnnotations() != nil, bytes: bytes.Clone(b),
	}, nil
}

// GetLabels makes a map of them.
func (p *packed) GetLabels() map[string]string {
	out := map[string]string{}
	for rest := p.labels; rest != ""; {
		var k, v string
		k, rest, _ = strings.Cut(rest, "\x00")
		v, rest, _ = strings.Cut(rest, "\x00")
		out[k] = v
	}
	return out
}

// GetObjectKind names none: the whole object does.
func (p *packed) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject is the whole object.
func (p *packed) DeepCopyObject() runtime.Object {
	whole := reflect.New(p.kind).Interface().(client.Object)
	var err error
	switch o := whole.(type) {
	case *unstructured.Unstructured:
		err = o.UnmarshalJSON(p.bytes)
	case protobuf:
		err = o.Unmarshal(p.bytes)
	}
	if err != nil { // written by slim
		panic(fmt.Errorf("unpack %s %s: %w", p.kind, client.ObjectKeyFromObject(p), err))
	}
	if p.annotated && whole.GetAnnotations() == nil {
		whole.SetAnnotations(map[string]string{})
	}
	return whole
}

// unpacked is the whole of an object of a cache, which stays as it is.
func unpacked(o client.Object) client.Object {
	if p, ok := o.(*packed); ok {
		return p.DeepCopyObject().(client.Object)
	}
	return o
}

// unpacking maps whole objects.
func unpacking(to handler.MapFunc) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request { return to(ctx, unpacked(o)) })
}

// whole indexes whole objects.
func whole(by client.IndexerFunc) client.IndexerFunc {
	return func(o client.Object) []string { return by(unpacked(o)) }
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
