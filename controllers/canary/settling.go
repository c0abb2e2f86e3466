package canary

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/pkg/configs"
	"github.com/serin-dev/serin/pkg/revision"
)

// settleConfigs is how long a change of contents waits for others: who applies several objects
// applies them one by one, and each would begin a revision of its own.
const settleConfigs = 3 * time.Second

// settling remembers when contents that a canary refers to were last seen to change.
type settling struct {
	mu sync.Mutex
	by map[types.NamespacedName]seenVersions
}

type seenVersions struct {
	versions map[configs.ID]string
	until    time.Time
}

// until is when the last change has settled; zero when it has. A change that comes before that moves
// it no further: what changes all the time must not wait for ever.
func (s *settling) until(name types.NamespacedName, present []revision.Present, now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	versions := make(map[configs.ID]string, len(present))
	for _, p := range present {
		versions[p.ID] = p.Version
	}
	seen := s.by[name]
	if !now.Before(seen.until) {
		seen.until = time.Time{}
		for id, before := range seen.versions {
			if v, ok := versions[id]; ok && v != before {
				seen.until = now.Add(settleConfigs)
			}
		}
	}
	seen.versions = versions
	if s.by == nil {
		s.by = map[types.NamespacedName]seenVersions{}
	}
	s.by[name] = seen
	return seen.until
}

func (s *settling) forget(name types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.by, name)
}
