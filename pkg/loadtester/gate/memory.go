package gate

import (
	"context"
	"sync"
)

// Memory forgets with its process: every gate is closed after a restart.
type Memory struct {
	mu    sync.Mutex
	texts map[string]string
}

// NewMemory returns a store in which every gate is closed.
func NewMemory() *Memory { return &Memory{texts: map[string]string{}} }

// Read implements Store.
func (m *Memory) Read(context.Context) (Set, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return decode(m.texts), nil
}

// Write implements Store.
func (m *Memory) Write(_ context.Context, key Key, open bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m.texts, key, open)
	return nil
}
