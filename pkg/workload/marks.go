package workload

import (
	"maps"
	"slices"
	"strings"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// history are marks that tell of the object that they were written on, and nothing of a copy.
var history = []string{"kubectl.kubernetes.io/", "deployment.kubernetes.io/", "serin.dev/", "flagger.app/"}

// withoutMarks copies an object's labels or annotations without those of its owners and its history.
func withoutMarks(in map[string]string) map[string]string {
	out := v1beta1.Untracked(in)
	for k := range out {
		for _, prefix := range history {
			if strings.HasPrefix(k, prefix) {
				delete(out, k)
			}
		}
	}
	return out
}

// copiedAnnotation lists the annotations of a copy that its source has too. One that the source loses
// makes the copy differ, while those that others put on the copy never do.
const copiedAnnotation = "serin.dev/copied-annotations"

// copied are the annotations of a copy that follows its source.
func copied(source map[string]string, but ...string) map[string]string {
	out := withoutMarks(source)
	for _, key := range but {
		delete(out, key)
	}
	if len(out) > 0 {
		out[copiedAnnotation] = strings.Join(slices.Sorted(maps.Keys(out)), ",")
	}
	return out
}
