package workload

import (
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
