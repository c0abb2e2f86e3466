package router

import (
	"fmt"
	"slices"
	"strings"
)

// Registry maps the values of spec.provider to factories. The zero value is empty and ready.
type Registry struct{ factories map[string]Factory }

// Add registers a factory under its provider name; a second one under the same name is refused.
func (r *Registry) Add(provider string, f Factory) error {
	if _, ok := r.factories[provider]; ok {
		return fmt.Errorf("router %q is registered twice", provider)
	}
	if r.factories == nil {
		r.factories = map[string]Factory{}
	}
	r.factories[provider] = f
	return nil
}

// Get returns the factory of a provider. An unknown name is a *NotReady error that lists the known ones.
func (r *Registry) Get(provider string) (Factory, error) {
	if f, ok := r.factories[provider]; ok {
		return f, nil
	}
	return nil, &NotReady{Problem: Problem{
		Reason: "UnknownProvider",
		Message: fmt.Sprintf("provider %q is not built into this operator; it has: %s. Set spec.provider to one of them",
			provider, strings.Join(r.Names(), ", ")),
	}}
}

// Names lists the registered providers in alphabetical order.
func (r *Registry) Names() []string {
	names := make([]string, 0, len(r.factories))
	for n := range r.factories {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
