package archive

import (
	"fmt"
	"os"
	"path/filepath"
)

// Save writes imgs to a file, as WriteIndex does (of one image: Write). The file
// appears complete or not at all: a loader may be watching it.
func Save(path string, imgs []Image) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // an image is no secret
		return fmt.Errorf("make directory of image archive: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("create image archive: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if err := WriteIndex(f, imgs); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return fmt.Errorf("make image archive readable: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("close image archive: %w", err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("put image archive in place: %w", err)
	}
	return nil
}
