package build

import (
	"context"
	"path/filepath"

	"github.com/serin-dev/serin/deploy/image/archive"
	"github.com/serin-dev/serin/e2e/cluster/cache"
)

const (
	podinfoModule = "github.com/stefanprodan/podinfo"
	// podinfoVersion is upstream's 6.9.2. Its tags have no /v6 in the module path,
	// so a commit is the only form in which the module proxy serves it.
	podinfoVersion = "v1.8.1-0.20250910200901-e86405a8674e"
)

// podinfoTags are the versions that the tutorials roll out. All are the same
// program, 6.9.2, linked with another answer to "which version are you?".
var podinfoTags = []string{"6.0.0", "6.0.1", "6.0.2", "6.1.0", "6.1.5", "6.1.6"}

func (b *Builder) podinfo() []*cache.Part {
	podcli := b.program(podinfoProgram("podcli", "./cmd/podcli", ""))
	var images []*cache.Part
	for _, tag := range podinfoTags {
		bin := b.program(podinfoProgram("podinfo-"+tag, "./cmd/podinfo", tag))
		images = append(images, b.podinfoImage(tag, bin, podcli))
	}
	return images
}

func podinfoProgram(name, pkg, tag string) program {
	p := program{Name: name, Module: podinfoModule, Version: podinfoVersion, goBuild: goBuild{Package: pkg}}
	if tag != "" {
		p.Variables = []string{podinfoModule + "/pkg/version.VERSION=" + tag}
	}
	return p
}

// podinfoImage has upstream's paths, working directory and user, but no shell
// and no curl.
func (b *Builder) podinfoImage(tag string, bin, podcli *cache.Part) *cache.Part {
	name := "podinfo-" + tag
	img := archive.Image{
		Tags:    []string{"docker.io/stefanprodan/podinfo:" + tag, "ghcr.io/stefanprodan/podinfo:" + tag},
		Cmd:     []string{"./podinfo"},
		Env:     []string{"PATH=/usr/local/bin:/usr/bin:/bin"},
		User:    "100:101",
		WorkDir: "/home/app",
		Files: []archive.File{
			{Path: "/home/app/podinfo", From: bin.File, Mode: 0o755},
			{Path: "/usr/local/bin/podcli", From: podcli.File, Mode: 0o755},
			{Path: "/etc/passwd", Data: []byte("root:x:0:0:root:/root:/sbin/nologin\napp:x:100:101::/home/app:/sbin/nologin\n")},
			{Path: "/etc/group", Data: []byte("root:x:0:\napp:x:101:\n")},
		},
	}
	return &cache.Part{
		Name: "image-" + name, File: b.cache.Image(name), Recipe: describe(img), Needs: []*cache.Part{bin, podcli},
		Make: func(ctx context.Context, dst, scratch string) error {
			module, err := moduleDir(ctx, scratch, podinfoModule, podinfoVersion)
			if err != nil {
				return err
			}
			page := archive.File{Path: "/home/app/ui/vue.html", From: filepath.Join(module, "ui", "vue.html")}
			packed := img
			packed.Files = append([]archive.File{page}, img.Files...)
			return write(dst, packed)
		},
	}
}
