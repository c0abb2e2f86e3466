package canary

import (
	"errors"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/pkg/revision"
	"github.com/serin-dev/serin/pkg/rollout"
)

// unkept remembers whose contents could not be kept, and why.
type unkept struct {
	mu sync.Mutex
	by map[types.NamespacedName]rollout.Problem
}

// note files what a try came to; changed tells that it is news.
func (u *unkept) note(name types.NamespacedName, err error) (changed bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	var refused *revision.NotKept
	if !errors.As(err, &refused) {
		delete(u.by, name)
		return false
	}
	p := rollout.Problem{Reason: "ConfigNotKept", Message: fmt.Sprintf("the contents of %s %s cannot be kept for a revision, which waits for it: %v",
		refused.Kind, refused.Name, refused.Err)}
	changed = u.by[name] != p
	if u.by == nil {
		u.by = map[types.NamespacedName]rollout.Problem{}
	}
	u.by[name] = p
	return changed
}

func (u *unkept) of(name types.NamespacedName) (rollout.Problem, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	p, ok := u.by[name]
	return p, ok
}

func (u *unkept) forget(name types.NamespacedName) { u.note(name, nil) }
