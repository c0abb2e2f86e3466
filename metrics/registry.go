package metrics

import (
	"fmt"
	"slices"
	"strings"
)

// Registry maps the values of a MetricTemplate's spec.provider.type to factories. The zero value is
// empty and ready.
type Registry struct{ factories map[string]Factory }

// Add registers a factory under its provider type; a second one under the same type is refused.
func (r *Registry) Add(providerType string, f Factory) error {
	if _, ok := r.factories[providerType]; ok {
		return fmt.Errorf("metric provider %q is registered twice", providerType)
	}
	if r.factories == nil {
		r.factories = map[string]Factory{}
	}
	r.factories[providerType] = f
	return nil
}

// Get returns the factory of a provider type. The error for an unknown one lists the known ones.
func (r *Registry) Get(providerType string) (Factory, error) {
	if f, ok := r.factories[providerType]; ok {
		return f, nil
	}
	return nil, fmt.Errorf("metric provider %q is not built into this operator; it has: %s. Set spec.provider.type to one of them",
		providerType, strings.Join(r.Types(), ", "))
}

// Types lists the registered provider types in alphabetical order.
func (r *Registry) Types() []string {
	types := make([]string, 0, len(r.factories))
	for t := range r.factories {
		types = append(types, t)
	}
	slices.Sort(types)
	return types
}
