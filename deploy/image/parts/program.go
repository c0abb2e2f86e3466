// Package parts makes what the images of this repository are composed of: Go
// programs and certificate authorities. Packing them is package archive's work.
package parts

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// Program is a Go main package to be built for an image.
type Program struct {
	// Dir is where go build runs; empty is the current directory.
	Dir string
	// Package is the main package, such as ./cmd/serin.
	Package string
	// Version is linked in as main.version.
	Version string
}

// Build builds the program for linux/arch into the file out. With the same
// release of Go and the same sources the file is the same wherever it is built:
// no paths, no state of the checkout, no C, and no settings of the machine.
func (p Program) Build(ctx context.Context, arch, out string) error {
	out, err := filepath.Abs(out)
	if err != nil {
		return fmt.Errorf("build %s: %w", p.Package, err)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", //nolint:gosec // the caller names what is built
		"-ldflags", "-s -w -buildid= -X main.version="+p.Version, "-o", out, p.Package)
	cmd.Dir = p.Dir
	cmd.Env = slices.Concat(os.Environ(), []string{
		"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + arch, "GOAMD64=v1", "GOARM64=v8.0",
		"GOFLAGS=-mod=readonly", "GOEXPERIMENT=", "GOFIPS140=off", "GOWORK=off",
	})
	if msg, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s for linux/%s: %w\n%s", p.Package, arch, err, msg)
	}
	return nil
}
