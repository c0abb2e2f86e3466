package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// debian are the packages that hold programs. Their dependencies come with them.
var debian = []string{"bash", "busybox-static", "curl", "grep", "jq", "wget", "wrk"}

// packageList is the file below the root that names the packages in it.
const packageList = "packages"

// packages returns a directory with the packages for arch unpacked.
func (o options) packages(ctx context.Context, arch string) (string, error) {
	root := filepath.Join(o.cache, cacheName(arch))
	if _, err := os.Stat(root); err == nil && !o.refresh {
		return root, nil
	}
	if err := os.MkdirAll(o.cache, 0o755); err != nil { //nolint:gosec // public files
		return "", fmt.Errorf("make cache: %w", err)
	}
	work, err := os.MkdirTemp(o.cache, "work-")
	if err != nil {
		return "", fmt.Errorf("make cache: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	fresh := filepath.Join(work, "root")
	if err := fill(ctx, work, fresh, arch); err != nil {
		return "", err
	}
	if err := os.RemoveAll(root); err != nil {
		return "", fmt.Errorf("empty the cache: %w", err)
	}
	if err := os.Rename(fresh, root); err != nil {
		return "", fmt.Errorf("put packages into the cache: %w", err)
	}
	return root, nil
}

// cacheName changes with the packages: a kept root must not lack a new one.
func cacheName(arch string) string {
	sum := sha256.Sum256([]byte(strings.Join(debian, " ")))
	return fmt.Sprintf("%s-%x", arch, sum[:4])
}

// fill downloads the packages to work and unpacks them to root.
func fill(ctx context.Context, work, root, arch string) error {
	debs, err := download(ctx, work, arch)
	if err != nil {
		return err
	}
	var names []string
	for _, deb := range debs {
		if err := unpack(ctx, deb, root); err != nil {
			return err
		}
		names = append(names, filepath.Base(deb))
	}
	list := strings.Join(names, "\n") + "\n"
	if err := os.WriteFile(filepath.Join(root, packageList), []byte(list), 0o644); err != nil { //nolint:gosec // no secret
		return fmt.Errorf("write list of packages: %w", err)
	}
	return nil
}

// download fetches the packages and their dependencies, checked by apt against
// the host's keys. Its state is under dir: to apt, nothing is installed, so that
// it leaves nothing out, and the host's own state stays as it is.
func download(ctx context.Context, dir, arch string) ([]string, error) {
	archives := filepath.Join(dir, "archives")
	for _, path := range []string{filepath.Join(dir, "lists", "partial"), filepath.Join(archives, "partial")} {
		if err := os.MkdirAll(path, 0o755); err != nil { //nolint:gosec // public files
			return nil, fmt.Errorf("make cache: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "status"), nil, 0o600); err != nil {
		return nil, fmt.Errorf("make cache: %w", err)
	}
	options := []string{
		"-o", "Dir::State=" + dir, "-o", "Dir::State::status=" + filepath.Join(dir, "status"),
		"-o", "Dir::Cache=" + dir, "-o", "Dir::Log=" + dir,
		"-o", "APT::Architecture=" + arch, "-o", "APT::Architectures=" + arch,
		"-o", "APT::Sandbox::User=root", "-o", "Acquire::Languages=none", "-q", "-y",
	}
	if err := apt(ctx, slices.Concat(options, []string{"update"})); err != nil {
		return nil, err
	}
	install := []string{"--no-install-recommends", "--download-only", "install"}
	if err := apt(ctx, slices.Concat(options, install, debian)); err != nil {
		return nil, err
	}
	return filepath.Glob(filepath.Join(archives, "*.deb"))
}

func apt(ctx context.Context, args []string) error {
	out, err := exec.CommandContext(ctx, "apt-get", args...).CombinedOutput() //nolint:gosec // the arguments are this file's
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("apt-get is not there: build on Debian, or use the Dockerfile")
	}
	if err != nil {
		return fmt.Errorf("apt-get: %w\n%s", err, out)
	}
	return nil
}

func unpack(ctx context.Context, deb, root string) error {
	var msg bytes.Buffer
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb) //nolint:gosec // a package that apt has fetched
	cmd.Stderr = &msg
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("unpack %s: %w", deb, err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("unpack %s: %w", deb, err)
	}
	err = extract(out, root)
	_, _ = io.Copy(io.Discard, out) // dpkg-deb would not end before it is read out
	if err := errors.Join(err, cmd.Wait()); err != nil {
		return fmt.Errorf("unpack %s: %w %s", deb, err, msg.Bytes())
	}
	return nil
}
