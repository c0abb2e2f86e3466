package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// File keeps the gates in a file, for a load tester that runs in no cluster. One process may write
// it; it is replaced whole, so that a crash leaves the old one or the new one.
type File struct {
	path string
	mu   sync.Mutex
}

// NewFile says at once when the file cannot be read or its folder cannot be written.
func NewFile(path string) (*File, error) {
	f := &File{path: path}
	texts, err := f.load()
	if err != nil {
		return nil, err
	}
	return f, f.save(texts)
}

// Read implements Store.
func (f *File) Read(context.Context) (Set, error) {
	texts, err := f.load()
	return decode(texts), err
}

// Write implements Store.
func (f *File) Write(_ context.Context, key Key, open bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	texts, err := f.load()
	if err != nil || !change(texts, key, open) {
		return err
	}
	return f.save(texts)
}

func (f *File) load() (map[string]string, error) {
	texts := map[string]string{}
	data, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return texts, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read gates: %w", err)
	}
	if err := json.Unmarshal(data, &texts); err != nil {
		return nil, fmt.Errorf("read gates from %s: %w", f.path, err)
	}
	if texts == nil { // the file says null
		texts = map[string]string{}
	}
	return texts, nil
}

func (f *File) save(texts map[string]string) error {
	data, err := json.MarshalIndent(texts, "", "  ")
	if err != nil {
		return fmt.Errorf("write gates: %w", err)
	}
	next, err := os.CreateTemp(filepath.Dir(f.path), filepath.Base(f.path)+".*")
	if err != nil {
		return fmt.Errorf("write gates: %w", err)
	}
	_, err = next.Write(append(data, '\n'))
	err = errors.Join(err, next.Sync(), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), f.path)
	}
	if err != nil {
		_ = os.Remove(next.Name()) // the first error tells more
		return fmt.Errorf("write gates: %w", err)
	}
	return nil
}
