// Package build makes everything the cluster runs from Go modules, Debian
// packages and one Python wheel, and packs the images. There is no registry and
// no container engine: an image is a tar file written by this repository's own
// deploy/image/archive.
package build

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/serin-dev/serin/e2e/cluster/cache"
	"github.com/serin-dev/serin/e2e/cluster/command"
)

// Builder makes the parts.
type Builder struct {
	cache cache.Dir
	// source is the folder of this program's own sources.
	source string
	steps  cache.Steps
}

// New returns a Builder. It must be called somewhere in the e2e module: the
// sources that are built are those of the module around the working directory.
func New(ctx context.Context, dir cache.Dir, steps cache.Steps) (*Builder, error) {
	out, err := command.Run(ctx, command.Cmd{Env: goEnv, Args: []string{"go", "list", "-m", "-f", "{{.Path}} {{.Dir}}"}})
	if err != nil {
		return nil, fmt.Errorf("find the sources: %w", err)
	}
	module, root, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	if !strings.HasSuffix(module, "/e2e") {
		return nil, fmt.Errorf("the working directory is in module %s, not in e2e: run this as `go run ./cluster` there", module)
	}
	return &Builder{cache: dir, source: filepath.Join(root, "cluster"), steps: steps}, nil
}

// All makes everything.
func (b *Builder) All(ctx context.Context) error {
	parts, err := b.parts()
	if err != nil {
		return err
	}
	return b.ensure(ctx, parts.all())
}

// Kube makes only the Kubernetes programs.
func (b *Builder) Kube(ctx context.Context) error {
	kube, err := b.kube()
	if err != nil {
		return err
	}
	return b.ensure(ctx, []*cache.Part{kube})
}

// ensure makes one part after the other: the Go compiler uses all cores itself.
func (b *Builder) ensure(ctx context.Context, parts []*cache.Part) error {
	for _, p := range parts {
		if err := b.cache.Ensure(ctx, p, b.steps); err != nil {
			return err
		}
	}
	return nil
}
