package canary

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// protobuf is implemented by Kubernetes' own kinds.
type protobuf interface {
	client.Object
	Marshal() ([]byte, error)
	Unmarshal(data []byte) error
}

// packed is an object as bytes, a tenth to a fifth of what it takes otherwise, beside the metadata that
// informers, selectors, predicates and most mappings go by. Its copy is the whole object, and copies are what
// a cache hands out.
type packed struct {
	*metav1.ObjectMeta // unread: there is no more metadata than below

	namespace, name, version string
	generation               int64
	// labels are keys and values in turn, each with a zero byte behind it: a map of three takes half a KiB.
	labels string
	kind   reflect.Type
	// annotated objects have a map of annotations, even if nothing is left in it: an added annotation is a
	// patch that would otherwise replace what is there.
	annotated bool
	bytes     []byte
}

// unread is the same for all, and empty.
var unread = &metav1.ObjectMeta{}

func pack(o client.Object, b []byte, err error) (client.Object, error) {
	if err != nil {
		return nil, fmt.Errorf("pack %T %s: %w", o, client.ObjectKeyFromObject(o), err)
	}
	var labels strings.Builder
	for k, v := range o.GetLabels() {
		labels.WriteString(k + "\x00" + v + "\x00")
	}
	return &packed{ObjectMeta: unread, namespace: o.GetNamespace(), name: o.GetName(), version: o.GetResourceVersion(), generation: o.GetGeneration(),
		labels: strings.Clone(labels.String()), kind: reflect.TypeOf(o).Elem(), annotated: o.GetAnnotations() != nil, bytes: deflate(b)}, nil
}

func (p *packed) GetNamespace() string       { return p.namespace }
func (p *packed) GetName() string            { return p.name }
func (p *packed) GetResourceVersion() string { return p.version }
func (p *packed) GetGeneration() int64       { return p.generation }

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
	b, err := inflate(p.bytes)
	if err == nil {
		switch o := whole.(type) {
		case *unstructured.Unstructured:
			err = o.UnmarshalJSON(b)
		case protobuf:
			err = o.Unmarshal(b)
		}
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

// deflaters are kept: one takes half a MiB.
var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil { // only for another level
		panic(err)
	}
	return w
}}

func deflate(b []byte) []byte {
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	var out bytes.Buffer
	w.Reset(&out)
	_, err := w.Write(b)
	if err = errors.Join(err, w.Close()); err != nil { // a buffer takes everything
		panic(err)
	}
	return bytes.Clone(out.Bytes())
}

var inflaters = sync.Pool{New: func() any { return flate.NewReader(nil) }}

func inflate(b []byte) ([]byte, error) {
	r := inflaters.Get().(io.ReadCloser)
	defer inflaters.Put(r)
	if err := r.(flate.Resetter).Reset(bytes.NewReader(b), nil); err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
