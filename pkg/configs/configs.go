// Package configs knows which ConfigMaps and Secrets a pod template refers to, which of them belong
// to its revision, and how the template reads that refers to copies of them. It talks to nobody.
package configs

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Kind is what holds configuration.
type Kind string

const (
	ConfigMap Kind = "ConfigMap"
	Secret    Kind = "Secret"
)

// ID names a ConfigMap or Secret in the namespace of the template that refers to it.
type ID struct {
	Kind Kind
	Name string
}

// String is the form that status.trackedConfigs has: configmap/podinfo-config.
func (id ID) String() string { return strings.ToLower(string(id.Kind)) + "/" + id.Name }

// Reference is what a template refers to. It is optional when pods start without it, wherever it is
// referred to.
type Reference struct {
	ID
	Optional bool
}

// Find lists what a template refers to, each once and in a fixed order: volumes, projected ones too,
// and the environment of containers and init containers. Pull secrets and what drivers mount are not
// among them: they stay as they are.
func Find(t *corev1.PodTemplateSpec) []Reference {
	found := references{}
	for i := range t.Spec.Volumes {
		found.volume(&t.Spec.Volumes[i])
	}
	for _, containers := range [][]corev1.Container{t.Spec.InitContainers, t.Spec.Containers} {
		for i := range containers {
			found.environment(&containers[i])
		}
	}
	out := make([]Reference, 0, len(found))
	for _, id := range slices.SortedFunc(maps.Keys(found), compare) {
		out = append(out, Reference{ID: id, Optional: found[id]})
	}
	return out
}

func compare(a, b ID) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) }

// references are those found so far, with whether all of them are optional.
type references map[ID]bool

func (r references) add(kind Kind, name string, optional *bool) {
	if name == "" {
		return
	}
	id := ID{kind, name}
	before, known := r[id]
	r[id] = optional != nil && *optional && (before || !known)
}

func (r references) volume(v *corev1.Volume) {
	if s := v.ConfigMap; s != nil {
		r.add(ConfigMap, s.Name, s.Optional)
	}
	if s := v.Secret; s != nil {
		r.add(Secret, s.SecretName, s.Optional)
	}
	if v.Projected == nil {
		return
	}
	for _, source := range v.Projected.Sources {
		if s := source.ConfigMap; s != nil {
			r.add(ConfigMap, s.Name, s.Optional)
		}
		if s := source.Secret; s != nil {
			r.add(Secret, s.Name, s.Optional)
		}
	}
}

func (r references) environment(c *corev1.Container) {
	for _, from := range c.EnvFrom {
		if s := from.ConfigMapRef; s != nil {
			r.add(ConfigMap, s.Name, s.Optional)
		}
		if s := from.SecretRef; s != nil {
			r.add(Secret, s.Name, s.Optional)
		}
	}
	for _, e := range c.Env {
		if e.ValueFrom == nil {
			continue
		}
		if s := e.ValueFrom.ConfigMapKeyRef; s != nil {
			r.add(ConfigMap, s.Name, s.Optional)
		}
		if s := e.ValueFrom.SecretKeyRef; s != nil {
			r.add(Secret, s.Name, s.Optional)
		}
	}
}
