package loadtester

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// keysMaxAge bounds how long a key that the cluster has withdrawn is believed.
	keysMaxAge = time.Hour
	// keysMinPause keeps callers with made-up key names from making the load
	// tester hammer the API server.
	keysMinPause = 10 * time.Second
)

var errUnknownKey = errors.New("it is signed with a key that the cluster does not publish")

// published is what a cluster says about its service account tokens.
type published struct {
	issuer string
	keys   map[string]any // public keys by their ID
}

// keyCache keeps published keys, and fetches them again when they are old or when
// a token names one that it does not know.
type keyCache struct {
	fetch func(context.Context) (published, error)
	now   func() time.Time

	mu      sync.Mutex // held while fetching: one fetch serves all who wait
	have    published
	fetched time.Time
	tried   time.Time
	lastErr error
}

func newKeyCache(fetch func(context.Context) (published, error), now func() time.Time) *keyCache {
	return &keyCache{fetch: fetch, now: now}
}

// find returns the public key with that ID, and the issuer of tokens.
func (c *keyCache) find(ctx context.Context, id string) (any, string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if key, ok := c.have.keys[id]; ok && c.fresh() {
		return key, c.have.issuer, nil
	}
	if c.now().Sub(c.tried) >= keysMinPause {
		c.refresh(ctx)
	}
	if c.lastErr != nil {
		return nil, "", fmt.Errorf("fetch the cluster's keys: %w", c.lastErr)
	}
	if key, ok := c.have.keys[id]; ok {
		return key, c.have.issuer, nil
	}
	return nil, "", errUnknownKey
}

func (c *keyCache) fresh() bool {
	return c.now().Sub(c.fetched) < keysMaxAge
}

func (c *keyCache) refresh(ctx context.Context) {
	// A caller who hangs up must not spoil the fetch for the others.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	c.tried = c.now()
	have, err := c.fetch(ctx)
	c.lastErr = err
	if err == nil {
		c.have, c.fetched = have, c.tried
	}
}
