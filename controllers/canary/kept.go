package canary

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"
)

// maxKept bounds what is kept; rotated secrets leave things behind that nobody asks for again.
const maxKept = 256

// kept keeps what was built from a configuration, so that its connections are used again. The
// configuration itself, which may hold secrets, is only hashed. The zero value is empty and ready.
type kept[T any] struct {
	mu    sync.Mutex
	built map[[sha256.Size]byte]T
}

func (k *kept[T]) get(kind string, config any, build func() (T, error)) (T, error) {
	var none T
	b, err := json.Marshal(config)
	if err != nil {
		return none, fmt.Errorf("encode configuration: %w", err)
	}
	id := sha256.Sum256(append([]byte(kind+"\x00"), b...))
	k.mu.Lock()
	defer k.mu.Unlock()
	if built, ok := k.built[id]; ok {
		return built, nil
	}
	built, err := build()
	if err != nil {
		return none, err
	}
	if k.built == nil || len(k.built) >= maxKept {
		k.built = map[[sha256.Size]byte]T{}
	}
	k.built[id] = built
	return built, nil
}
