package canary

import (
	"fmt"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/router"
)

// routers builds a router when the first canary asks for it, and watches its kinds from then on:
// what nobody uses is not cached, and need not be installed.
type routers struct {
	registry *router.Registry
	client   client.Client
	watch    func(router.Watch) error

	mu    sync.Mutex
	built map[string]router.Router
	// watched is how many of a provider's kinds are, where one of them could not be.
	watched map[string]int
}

func (r *routers) get(provider string) (router.Router, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rt, ok := r.built[provider]; ok {
		return rt, nil
	}
	factory, err := r.registry.Get(provider)
	if err != nil {
		return nil, err
	}
	rt, err := factory(r.client)
	if err != nil {
		return nil, err
	}
	if r.built == nil {
		r.built, r.watched = map[string]router.Router{}, map[string]int{}
	}
	for _, w := range rt.Watches()[r.watched[provider]:] {
		if err := r.watch(w); err != nil {
			return nil, fmt.Errorf("watch %T for router %s: %w", w.Object, provider, err)
		}
		r.watched[provider]++
	}
	r.built[provider] = rt
	return rt, nil
}
