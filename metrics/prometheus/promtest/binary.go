package promtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// binary is Prometheus's path: the one that is installed, or Debian's, unpacked into the user's
// cache once for all tests.
func binary(tb testing.TB) string {
	tb.Helper()
	if path, err := exec.LookPath("prometheus"); err == nil {
		return path
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		tb.Skipf("no prometheus on the PATH, and no place to keep one: %v", err)
	}
	path, err := unpacked(filepath.Join(cache, "serin"))
	if err != nil {
		tb.Skipf("no prometheus on the PATH, and Debian's package cannot be had: %v", err)
	}
	return path
}

func unpacked(cache string) (string, error) {
	home := filepath.Join(cache, "prometheus")
	path := filepath.Join(home, "usr", "bin", "prometheus")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(cache, 0o750); err != nil {
		return "", err
	}
	// It is unpacked elsewhere and moved: another test may be doing the same, and one that was killed
	// must not leave half a tree behind under the name.
	work, err := os.MkdirTemp(cache, "prometheus-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(work) }()
	if err := download(work); err != nil {
		return "", err
	}
	if err := os.Rename(filepath.Join(work, "root"), home); err != nil {
		if _, there := os.Stat(path); there != nil {
			return "", err
		}
	}
	return path, nil
}

// download tries without refreshing apt's lists first: that takes root and most of the time.
func download(dir string) error {
	if err := run(dir, "apt-get", "download", "prometheus"); err != nil {
		if err := run(dir, "apt-get", "update"); err != nil {
			return err
		}
		if err := run(dir, "apt-get", "download", "prometheus"); err != nil {
			return err
		}
	}
	packages, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		return err
	}
	if len(packages) != 1 {
		return fmt.Errorf("apt-get download left %d packages", len(packages))
	}
	return run(dir, "dpkg-deb", "-x", packages[0], "root")
}

func run(dir, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // G204: this package's own commands
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %v: %w: %s", name, args, err, out)
	}
	return nil
}
