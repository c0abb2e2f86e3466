package canary

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/router"
)

// refusals remembers why a router could not write, until it can: the plan says it with the next
// turn, where the user reads it.
type refusals struct {
	mu sync.Mutex
	by map[types.NamespacedName]router.Problem
}

// note files what a write to the route came to. A refusal that the user must mend is no error of
// ours; changed tells that it is news.
func (f *refusals) note(name types.NamespacedName, err error) (changed bool, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var missing *router.NotReady
	switch {
	case err == nil:
		delete(f.by, name)
		return false, nil
	case errors.As(err, &missing) && missing.RetryAfter > 0:
		return false, fmt.Errorf("%w: %w", errStale, err)
	case errors.As(err, &missing):
		changed = f.by[name] != missing.Problem
		if f.by == nil {
			f.by = map[types.NamespacedName]router.Problem{}
		}
		f.by[name] = missing.Problem
		return changed, nil
	}
	return false, fmt.Errorf("write the route: %w", err)
}

func (f *refusals) of(name types.NamespacedName) (router.Problem, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, ok := f.by[name]
	return p, ok
}

func (f *refusals) forget(name types.NamespacedName) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.by, name)
}

// rescued does something for one canary that others wrote, and makes an error of a panic: it would end
// the operator, and with it everybody's rollouts. What is done in a turn is rescued by its controller.
func rescued[T any](name types.NamespacedName, do func() (T, error)) (result T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p, "canary", name)
		}
	}()
	return do()
}

// mapped makes of an object what a router has to know of it. One that it panics at comes to nothing: caches
// and watches rescue nobody, and the operator would end at each start anew.
func mapped[T any](o client.Object, to func(client.Object) T) (result T) {
	defer func() {
		if p := recover(); p != nil {
			_ = panicked(p, "kind", o.GetObjectKind().GroupVersionKind().Kind, "object", client.ObjectKeyFromObject(o))
		}
	}()
	return to(o)
}

// panicked makes an error of a panic, and logs its stack with what it was about.
func panicked(p any, about ...any) error {
	err := fmt.Errorf("panic, a defect whose stack is in the operator's log: %v", p)
	ctrl.Log.WithName("canary").Error(err, "rescued", append(about, "stack", string(debug.Stack()))...)
	return err
}

func ctxlog(ctx context.Context) logr.Logger { return ctrl.LoggerFrom(ctx) }
