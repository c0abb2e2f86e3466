// Package revision keeps what a workload was: an immutable snapshot, a ControllerRevision, of every
// pod template that a target ever held. What is analysed, promoted and restored is a snapshot, never
// whatever the target holds by then.
package revision

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// Hash identifies a template by its canonical JSON: keys sorted, unset fields absent. It is stable
// across releases of the Kubernetes libraries as long as the server stores the same template; where
// the server itself begins to store more, Store.Take compares under the new defaults.
func Hash(t *corev1.PodTemplateSpec) string {
	b, err := json.Marshal(t)
	if err != nil { // a decoded template always encodes
		panic(fmt.Sprintf("encode pod template: %v", err))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])[:10]
}

// Images lists the images of a template's containers, in order.
func Images(t *corev1.PodTemplateSpec) []string {
	images := make([]string, 0, len(t.Spec.Containers))
	for _, c := range t.Spec.Containers {
		images = append(images, c.Image)
	}
	return images
}

// ShortImage is what people call an image: its name without registry and path, a digest shortened.
func ShortImage(image string) string {
	name := image[strings.LastIndex(image, "/")+1:]
	if base, digest, ok := strings.Cut(name, "@"); ok {
		_, sum, _ := strings.Cut(digest, ":")
		if len(sum) > 12 {
			sum = sum[:12]
		}
		return base + "@" + sum
	}
	return name
}

// Describe names a revision for status and messages.
func Describe(name string, t *corev1.PodTemplateSpec) v1beta1.RevisionStatus {
	r := v1beta1.RevisionStatus{Name: name, Images: Images(t)}
	if len(r.Images) > 0 {
		r.Image = ShortImage(r.Images[0])
	}
	return r
}

// hashes are the hashes under which a snapshot is found: its own, and those that the same template
// had under the defaults of later servers.
func hashes(annotation string) []string {
	return slices.DeleteFunc(strings.Split(annotation, ","), func(s string) bool { return s == "" })
}
