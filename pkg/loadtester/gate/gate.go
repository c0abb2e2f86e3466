// Package gate keeps the gates of canaries: whether somebody has said that one may go on, or shall
// go back. It asks nobody and serves nobody; it keeps what was said.
package gate

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Kind is what an open gate permits.
type Kind string

// Kinds of gates. Both are closed until somebody opens them.
const (
	// Confirm lets a canary go on.
	Confirm Kind = "gate"
	// Rollback makes a canary go back.
	Rollback Kind = "rollback"
)

// Kinds are all of them.
var Kinds = []Kind{Confirm, Rollback}

// Key names one gate of one canary.
type Key struct {
	Kind            Kind
	Name, Namespace string
}

// Check refuses names that no canary can have: they would not find their way back out of a store.
func (k Key) Check() error {
	if msgs := validation.IsDNS1123Subdomain(k.Name); len(msgs) > 0 {
		return fmt.Errorf("name %q is not a canary's: %s", k.Name, msgs[0])
	}
	if msgs := validation.IsDNS1123Label(k.Namespace); len(msgs) > 0 {
		return fmt.Errorf("namespace %q is none: %s", k.Namespace, msgs[0])
	}
	return nil
}

// Canary is the canary's name and namespace, as name.namespace.
func (k Key) Canary() string { return k.Name + "." + k.Namespace }

// String is unique, as a namespace has no dot: kind.name.namespace. It fits as a ConfigMap's key.
func (k Key) String() string { return string(k.Kind) + "." + k.Canary() }

// parse is the inverse of String.
func parse(s string) (Key, bool) {
	kind, rest, _ := strings.Cut(s, ".")
	dot := strings.LastIndex(rest, ".")
	if dot < 0 || !slices.Contains(Kinds, Kind(kind)) {
		return Key{}, false
	}
	k := Key{Kind: Kind(kind), Name: rest[:dot], Namespace: rest[dot+1:]}
	return k, k.Check() == nil
}

// Set holds the gates that are open, and since when. Gates that are not in it are closed.
type Set map[Key]time.Time

// Keys are the gates of one kind, by namespace and name.
func (s Set) Keys(kind Kind) []Key {
	keys := slices.DeleteFunc(slices.Collect(maps.Keys(s)), func(k Key) bool { return k.Kind != kind })
	slices.SortFunc(keys, func(a, b Key) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return keys
}

// Store keeps the gates. What one call has set, every later call sees, in every replica that shares it.
type Store interface {
	// Read returns the open gates.
	Read(ctx context.Context) (Set, error)
	// Write opens or closes one gate and leaves the others as they are.
	Write(ctx context.Context, key Key, open bool) error
}

// decode reads the texts that a store keeps: keys, and since when each is open. A gate is open when
// its key is there, also with a time that somebody wrote by hand. Other keys are somebody else's.
func decode(texts map[string]string) Set {
	set := Set{}
	for text, since := range texts {
		if key, ok := parse(text); ok {
			set[key], _ = time.Parse(time.RFC3339, since)
		}
	}
	return set
}

// change opens or closes a gate in the texts of a store, and says whether it was not so already: a
// gate that is open keeps the time of its opening.
func change(texts map[string]string, key Key, open bool) bool {
	if _, was := texts[key.String()]; was == open {
		return false
	}
	if open {
		texts[key.String()] = time.Now().UTC().Format(time.RFC3339)
	} else {
		delete(texts, key.String())
	}
	return true
}
