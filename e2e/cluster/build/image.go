package build

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/serin-dev/serin/deploy/image/archive"
	"github.com/serin-dev/serin/e2e/cluster/cache"
	"github.com/serin-dev/serin/e2e/cluster/command"
)

// static is the image of one static program and nothing else.
func (b *Builder) static(name, tag string, bin *cache.Part) *cache.Part {
	path := "/" + name
	return b.pack(name, archive.Image{
		Tags:       []string{tag},
		Entrypoint: []string{path},
		Files:      []archive.File{{Path: path, From: bin.File, Mode: 0o755}},
	}, bin)
}

// pack is the archive of an image whose files are all known beforehand.
func (b *Builder) pack(name string, img archive.Image, needs ...*cache.Part) *cache.Part {
	return &cache.Part{
		Name: "image-" + name, File: b.cache.Image(name), Recipe: describe(img), Needs: needs,
		Make: func(_ context.Context, dst, _ string) error { return write(dst, img) },
	}
}

// describe is the recipe of an image: the contents of its files come in by way
// of the parts that the image needs.
func describe(img archive.Image) string {
	text, err := json.Marshal(img)
	if err != nil {
		panic("image cannot be marshalled: " + err.Error())
	}
	return cache.Digest("image", string(text))
}

// write writes the archive of an image for this machine's architecture.
func write(dst string, img archive.Image) (err error) {
	img.Arch = runtime.GOARCH
	f, err := os.Create(dst)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := archive.Write(w, img); err != nil {
		return fmt.Errorf("pack %v: %w", img.Tags, err)
	}
	return w.Flush()
}

// libraries lists the shared libraries of a program with the dynamic loader, at
// the paths where the loader looks for them.
func libraries(ctx context.Context, program string) ([]archive.File, error) {
	out, err := command.Run(ctx, command.Cmd{Args: []string{"ldd", program}})
	if err != nil {
		return nil, fmt.Errorf("libraries of %s: %w", program, err)
	}
	var files []archive.File
	for _, path := range libraryPaths(string(out)) {
		from, err := filepath.EvalSymlinks(path)
		if err != nil {
			return nil, fmt.Errorf("libraries of %s: %w", program, err)
		}
		files = append(files, archive.File{Path: path, From: from, Mode: 0o755})
	}
	return files, nil
}

// libraryPaths reads ldd: `libc.so.6 => /lib/libc.so.6 (0x7f…)` for a library,
// the path alone for the loader, and a name without a path for the kernel's own.
func libraryPaths(ldd string) []string {
	var paths []string
	for line := range strings.Lines(ldd) {
		for word := range strings.FieldsSeq(line) {
			if strings.HasPrefix(word, "/") {
				paths = append(paths, word)
			}
		}
	}
	return paths
}
