package workload

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// meshContainers are those that a mesh injects: their ports are the mesh's.
var meshContainers = map[string]bool{"istio-proxy": true, "envoy": true, "linkerd-proxy": true}

// discover adds to the main port the other container ports of the target, and those that the primary
// still has: what a new revision drops goes with its promotion.
func (s Services) discover(main corev1.ServicePort) []corev1.ServicePort {
	ports := []corev1.ServicePort{main}
	for _, w := range []Object{s.Target, s.Primary} {
		if w == nil {
			continue
		}
		for _, c := range running(&w.Template().Spec) {
			if meshContainers[c.Name] {
				continue
			}
			for _, p := range c.Ports {
				ports = addPort(ports, p)
			}
		}
	}
	return ports
}

// addPort appends a container's port unless it is there already: as itself, as what the main port
// leads to, or as a number that the Service uses for something else.
func addPort(ports []corev1.ServicePort, p corev1.ContainerPort) []corev1.ServicePort {
	if p.Protocol == "" {
		p.Protocol = corev1.ProtocolTCP
	}
	name := p.Name
	for i, have := range ports {
		target := have.TargetPort == intstr.FromInt32(p.ContainerPort) || p.Name != "" && have.TargetPort == intstr.FromString(p.Name)
		if have.Protocol == p.Protocol && (have.Port == p.ContainerPort || i == 0 && target) {
			return ports
		}
		if have.Name == name {
			name = ""
		}
	}
	if name == "" {
		name = fmt.Sprintf("%s-%d", strings.ToLower(string(p.Protocol)), p.ContainerPort)
	}
	return append(ports, corev1.ServicePort{Name: name, Port: p.ContainerPort, Protocol: p.Protocol, TargetPort: intstr.FromInt32(p.ContainerPort)})
}
