package slack

import (
	"sync"

	"github.com/serin-dev/serin/notifier"
)

// remembered bounds the memory; a repeat follows its first delivery within a few messages.
const remembered = 512

// memory holds where messages were delivered, the latest ones only, so that repeating a message that
// was delivered in part completes it instead of showing it twice. The zero value is empty and ready.
// A message without a key is not remembered.
type memory struct {
	mu     sync.Mutex
	places map[string]place
	keys   []string
}

func (m *memory) get(key string) (place, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.places[key]
	return p, ok
}

func (m *memory) put(key string, p place) {
	if key == "" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.places == nil {
		m.places = map[string]place{}
	}
	if _, ok := m.places[key]; !ok {
		m.keys = append(m.keys, key)
	}
	m.places[key] = p
	if len(m.keys) > remembered {
		delete(m.places, m.keys[0])
		m.keys = m.keys[1:]
	}
}

// memoryKey names a part of a message: its card, its line in a thread.
func memoryKey(part string, m notifier.Message) string {
	if m.Key == "" {
		return ""
	}
	return part + "/" + m.Canary.String() + "/" + m.Key
}
