package configs

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// CopyOfAnnotation on a copy names what it was copied from.
const CopyOfAnnotation = "serin.dev/copy-of"

// Hash tells contents apart, by a key: without it nobody can try out what a Secret may hold. It is
// another for every canary and every name, so that each has copies of its own.
func Hash(key []byte, canary string, o client.Object) string {
	h := hmac.New(sha256.New, key)
	id, data, binary := parts(o)
	for _, s := range []string{canary, id.String()} {
		write(h, []byte(s))
	}
	for _, m := range []map[string][]byte{data, binary} {
		write(h, []byte(strconv.Itoa(len(m))))
		for _, k := range slices.Sorted(maps.Keys(m)) {
			write(h, []byte(k))
			write(h, m[k])
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:hashLength]
}

const hashLength = 10

// write adds a part with its length before it: no two lists of parts read the same.
func write(h hash.Hash, part []byte) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(part)))
	h.Write(n[:])
	h.Write(part)
}

// parts are a ConfigMap's or a Secret's identity and contents.
func parts(o client.Object) (id ID, data, binary map[string][]byte) {
	switch o := o.(type) {
	case *corev1.ConfigMap:
		data = make(map[string][]byte, len(o.Data))
		for k, v := range o.Data {
			data[k] = []byte(v)
		}
		return ID{ConfigMap, o.Name}, data, o.BinaryData
	case *corev1.Secret:
		return ID{Secret, o.Name}, o.Data, nil
	}
	return ID{}, nil, nil
}

// CopyName is the name of the copy of contents with a hash.
func CopyName(name, hash string) string {
	const limit = 253 // of an object's name
	if most := limit - 1 - len(hash); len(name) > most {
		name = strings.TrimRight(name[:most], "-.")
	}
	return name + "-" + hash
}

// Copy renders an immutable copy: the contents, and nothing else of the original.
func Copy(c *v1beta1.Canary, o client.Object, name string) client.Object {
	meta := metav1.ObjectMeta{
		Namespace: c.Namespace, Name: name,
		Labels:      map[string]string{v1beta1.CanaryLabel: v1beta1.LabelValue(c.Name)},
		Annotations: map[string]string{CopyOfAnnotation: o.GetName()},
	}
	immutable := true
	if s, ok := o.(*corev1.Secret); ok {
		return &corev1.Secret{ObjectMeta: meta, Type: s.Type, Data: s.Data, Immutable: &immutable}
	}
	from, _ := o.(*corev1.ConfigMap)
	return &corev1.ConfigMap{ObjectMeta: meta, Data: from.Data, BinaryData: from.BinaryData, Immutable: &immutable}
}

// SameContents is true when two objects of one kind hold the same.
func SameContents(a, b client.Object) bool {
	_, dataA, binaryA := parts(a)
	_, dataB, binaryB := parts(b)
	return equality.Semantic.DeepEqual(dataA, dataB) && equality.Semantic.DeepEqual(binaryA, binaryB)
}
