package workload

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// ImageDrift compares what two sides of one revision really run: a tag may have been moved between
// the start of the one and of the other. It names the first container of to that runs an image which
// no pod of from ran; empty where all agree. Known is false while one side shows nothing to compare.
func ImageDrift(from, to []corev1.Pod) (drift string, known bool) {
	before, now := imageIDs(from), imageIDs(to)
	if len(before) == 0 || len(now) == 0 {
		return "", false
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		for _, id := range slices.Sorted(maps.Keys(now[name])) {
			if ran := alike(before[name], id); len(ran) > 0 && !slices.Contains(ran, id) {
				return fmt.Sprintf("container %s (%s): %s was analysed, %s runs now", name, now[name][id], shortID(ran[0]), shortID(id)), true
			}
		}
	}
	return "", true
}

// imageIDs are the images that each container runs, by their IDs.
func imageIDs(pods []corev1.Pod) map[string]map[imageID]string {
	out := map[string]map[imageID]string{}
	for i := range pods {
		s := &pods[i].Status
		for _, c := range slices.Concat(s.InitContainerStatuses, s.ContainerStatuses) {
			if c.ImageID == "" {
				continue
			}
			if out[c.Name] == nil {
				out[c.Name] = map[imageID]string{}
			}
			out[c.Name][parseID(c.ImageID)] = c.Image
		}
	}
	return out
}

// imageID is a digest. One of a registry's manifest says nothing about one of an image that a node
// was given without a registry.
type imageID string

// parseID drops what runtimes put before the digest. A manifest's keeps an @ as its mark.
func parseID(s string) imageID {
	if i := strings.LastIndex(s, "@"); i >= 0 {
		return imageID(s[i:])
	}
	return imageID(s[strings.LastIndex(s, "/")+1:])
}

// alike are the IDs of the same sort, in order.
func alike(ran map[imageID]string, id imageID) []imageID {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(ran)), func(r imageID) bool {
		return strings.HasPrefix(string(r), "@") != strings.HasPrefix(string(id), "@")
	})
}

func shortID(id imageID) string {
	algorithm, sum, _ := strings.Cut(strings.TrimPrefix(string(id), "@"), ":")
	return algorithm + ":" + sum[:min(len(sum), 12)]
}
