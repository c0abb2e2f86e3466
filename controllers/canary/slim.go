package canary

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// slim is how objects are cached, for with ten thousand canaries there are more than a hundred thousand of
// them: packed, and without managed fields and kubectl's second copy. What is written are differences, so that
// nothing which is missing here goes missing there. Of Canaries, for which each event looks, and which it reads
// where they lie, only the long lists are packed.
func slim(in any) (any, error) {
	o, err := meta.Accessor(in)
	if err != nil {
		return in, nil //nolint:nilerr // a tombstone: there is nothing to take off it
	}
	if _, done := in.(*packed); done || listsPacked(o) { // informers may do it twice
		return in, nil
	}
	o.SetManagedFields(nil)
	if a := o.GetAnnotations(); a[corev1.LastAppliedConfigAnnotation] != "" {
		delete(a, corev1.LastAppliedConfigAnnotation)
		o.SetAnnotations(a)
	}
	switch o := in.(type) {
	case *v1beta1.Canary:
		return packLists(o)
	case *unstructured.Unstructured:
		b, err := o.MarshalJSON()
		return pack(o, b, err)
	case protobuf:
		b, err := o.Marshal()
		return pack(o, b, err)
	}
	return in, nil
}

// countable strips a pod's metadata down to what pods of a revision are counted by.
func countable(in any) (any, error) {
	m, ok := in.(*metav1.PartialObjectMetadata)
	if !ok {
		return in, nil
	}
	m.OwnerReferences, m.Finalizers, m.Annotations, m.GenerateName = nil, nil, nil, ""
	m.Labels = only(m.Labels, v1beta1.CanaryLabel, v1beta1.RevisionLabel)
	return slim(m)
}

// lists are what of a Canary only its turn reads, and most of what it takes.
type lists struct {
	Journal    []v1beta1.JournalEntry `json:"journal,omitempty"`
	Conditions []metav1.Condition     `json:"conditions,omitempty"`
}

// packLists puts a Canary's lists, as bytes, where its managed fields were, and copies what is left: decoded
// slices have up to twice the room that they need.
func packLists(c *v1beta1.Canary) (*v1beta1.Canary, error) {
	b, err := json.Marshal(lists{c.Status.Journal, c.Status.Conditions})
	if err != nil {
		return nil, fmt.Errorf("pack the lists of Canary %s: %w", client.ObjectKeyFromObject(c), err)
	}
	c.Status.Journal, c.Status.Conditions = nil, nil
	c = c.DeepCopy()
	c.ManagedFields = []metav1.ManagedFieldsEntry{{Operation: packedLists, FieldsV1: metav1.NewFieldsV1(string(deflate(b)))}}
	return c, nil
}

// packedLists is an operation that the API server knows nothing of.
const packedLists metav1.ManagedFieldsOperationType = "packed"

func listsPacked(o metav1.Object) bool {
	m := o.GetManagedFields()
	return len(m) == 1 && m[0].Operation == packedLists
}

// unpackLists puts them back into a copy.
func unpackLists(c *v1beta1.Canary) error {
	if !listsPacked(c) {
		return nil
	}
	var l lists
	b, err := inflate(c.ManagedFields[0].FieldsV1.GetRawBytes())
	if err == nil {
		err = json.Unmarshal(b, &l)
	}
	if err != nil {
		return fmt.Errorf("unpack the lists of Canary %s: %w", client.ObjectKeyFromObject(c), err)
	}
	c.ManagedFields, c.Status.Journal, c.Status.Conditions = nil, l.Journal, l.Conditions
	return nil
}
