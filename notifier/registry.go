package notifier

import (
	"fmt"
	"slices"
	"strings"
)

// Registry maps the values of an AlertProvider's spec.type to factories. The zero value is empty and
// ready.
type Registry struct{ factories map[string]Factory }

// Add registers a factory under its type; a second one under the same type is refused.
func (r *Registry) Add(kind string, f Factory) error {
	if _, ok := r.factories[kind]; ok {
		return fmt.Errorf("notifier %q is registered twice", kind)
	}
	if r.factories == nil {
		r.factories = map[string]Factory{}
	}
	r.factories[kind] = f
	return nil
}

// Get returns the factory of a type. The error of an unknown one lists those that are known.
func (r *Registry) Get(kind string) (Factory, error) {
	if f, ok := r.factories[kind]; ok {
		return f, nil
	}
	return nil, fmt.Errorf("type %q is not built into this operator; it has: %s. Set spec.type of the AlertProvider to one of them",
		kind, strings.Join(r.Names(), ", "))
}

// Names lists the registered types in alphabetical order.
func (r *Registry) Names() []string {
	names := make([]string, 0, len(r.factories))
	for n := range r.factories {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
