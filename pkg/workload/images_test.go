package workload

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// running is a pod whose containers a and b run the images with the given IDs.
func runningImages(ids ...string) corev1.Pod {
	var p corev1.Pod
	for i, id := range ids {
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses,
			corev1.ContainerStatus{Name: string(rune('a' + i)), Image: "podinfo:latest", ImageID: id})
	}
	return p
}

func TestImageDrift(t *testing.T) {
	const one, two = "docker.io/podinfo@sha256:1111111111111111", "docker.io/podinfo@sha256:2222222222222222"
	for sentence, test := range map[string]struct {
		from, to []corev1.Pod
		want     string
		unknown  bool
	}{
		"the same image":               {from: []corev1.Pod{runningImages(one)}, to: []corev1.Pod{runningImages(one), runningImages(one)}},
		"the same from another mirror": {from: []corev1.Pod{runningImages(one)}, to: []corev1.Pod{runningImages("mirror:5000/podinfo@sha256:1111111111111111")}},
		"the same as Docker spells it": {from: []corev1.Pod{runningImages(one)}, to: []corev1.Pod{runningImages("docker-pullable://podinfo@sha256:1111111111111111")}},
		"a moved tag": {from: []corev1.Pod{runningImages(one)}, to: []corev1.Pod{runningImages(one), runningImages(two)},
			want: "container a (podinfo:latest): sha256:111111111111 was analysed, sha256:222222222222 runs now"},
		"a moved tag of a sidecar": {from: []corev1.Pod{runningImages(one, one)}, to: []corev1.Pod{runningImages(one, two)},
			want: "container b (podinfo:latest): sha256:111111111111 was analysed, sha256:222222222222 runs now"},
		"one that moved during the analysis": {from: []corev1.Pod{runningImages(one), runningImages(two)}, to: []corev1.Pod{runningImages(two)}},
		"a node with the image preloaded":    {from: []corev1.Pod{runningImages(one)}, to: []corev1.Pod{runningImages("sha256:3333333333333333")}},
		"no pod of the canary":               {to: []corev1.Pod{runningImages(one)}, unknown: true},
		"pods that have not started":         {from: []corev1.Pod{runningImages(one)}, to: []corev1.Pod{runningImages("")}, unknown: true},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got, known := ImageDrift(test.from, test.to); got != test.want || known == test.unknown {
				t.Errorf("got %q (known %t), want %q", got, known, test.want)
			}
		})
	}
}
