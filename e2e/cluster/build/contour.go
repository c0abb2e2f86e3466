package build

import (
	"context"
	"path/filepath"

	"github.com/serin-dev/serin/e2e/cluster/cache"
)

const contourModule = "github.com/projectcontour/contour"

// ContourImage is Contour's control plane under its own image's name.
const ContourImage = "ghcr.io/projectcontour/contour:" + ContourVersion

// Contour makes the image of Contour, which the cluster itself has no use for. It returns the image's
// archive and the file with Contour's CRDs.
func (b *Builder) Contour(ctx context.Context, scratch string) (image, crds string, err error) {
	part := b.contour()
	if err := b.ensure(ctx, []*cache.Part{part}); err != nil {
		return "", "", err
	}
	module, err := moduleDir(ctx, scratch, contourModule, ContourVersion)
	return part.File, filepath.Join(module, "examples", "contour", "01-crds.yaml"), err
}

func (b *Builder) contour() *cache.Part {
	bin := b.program(program{
		Name: "contour", Module: contourModule, Version: ContourVersion, goBuild: goBuild{Package: "./cmd/contour"},
		Hint: "4 minutes of CPU the first time",
	})
	return b.static("contour", ContourImage, bin)
}
