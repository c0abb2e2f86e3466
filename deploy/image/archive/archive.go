// Package archive writes container image archives without a container engine:
// the same input gives the same bytes on every machine. It is not an image
// builder: it runs nothing inside the image and knows one layer only.
//
// What it writes is both an OCI image layout and the format of `docker save`,
// which share their blobs: containerd and skopeo read the former, Docker before
// 25 the latter.
package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
)

// DefaultArch is the architecture of an Image that names none.
const DefaultArch = "amd64"

// File is one entry of the image: a regular file read from From or given as
// Data, a symbolic link when Link is set, or a directory when Mode says so.
type File struct {
	// Path is where the entry is in the image. A leading slash is optional.
	Path string
	// From is a file of the host. It is opened when the archive is written.
	From string
	// Data is the content when From is empty.
	Data []byte
	// Mode holds the permissions. With none, it is 0755 for directories and for
	// host files that their owner may execute, otherwise 0644: the umask of the
	// host must not show in the image.
	Mode fs.FileMode
	// Link is the target of a symbolic link.
	Link string
}

// Image describes one platform's image. Everything in it belongs to root.
type Image struct {
	// Tags are complete references such as serin.dev/serin:dev.
	Tags []string
	// Arch is a GOARCH; the operating system is always linux.
	Arch            string
	Entrypoint, Cmd []string
	Env             []string
	User, WorkDir   string
	// Files are the content. Missing parent directories, /tmp and, unless given,
	// /etc/passwd and /etc/group with root and nonroot (65532) are added.
	Files []File
}

// Write writes a single-platform image archive to w. Host files are read twice,
// once for the digests; one that changes in between is an error.
func Write(w io.Writer, img Image) error {
	return write(w, []Image{img})
}

// WriteIndex writes a multi-platform image archive to w. All images carry the
// same tags. For readers of the docker format, which has no platforms, the first
// image has the tags, the others have them with -<arch> appended.
func WriteIndex(w io.Writer, imgs []Image) error {
	if err := checkPlatforms(imgs); err != nil {
		return err
	}
	return write(w, imgs)
}

func checkPlatforms(imgs []Image) error {
	if len(imgs) == 0 {
		return errors.New("image index: no images")
	}
	seen := map[string]bool{}
	for _, img := range imgs {
		if seen[img.arch()] {
			return fmt.Errorf("image index: two images for %s", img.arch())
		}
		seen[img.arch()] = true
		if strings.Join(img.Tags, " ") != strings.Join(imgs[0].Tags, " ") {
			return fmt.Errorf("image index: tags %q of %s differ from %q of %s", img.Tags, img.arch(), imgs[0].Tags, imgs[0].arch())
		}
	}
	return nil
}

func (img Image) arch() string {
	if img.Arch == "" {
		return DefaultArch
	}
	return img.Arch
}

func (img Image) checkTags() error {
	if len(img.Tags) == 0 {
		return errors.New("image has no tag")
	}
	for _, tag := range img.Tags {
		// Without a registry each reader would complete the name in its own way.
		if registry, rest, ok := strings.Cut(tag, "/"); !ok || !strings.Contains(rest, ":") || !isRegistry(registry) {
			return fmt.Errorf("image tag %q is not of the form registry/name:tag", tag)
		}
	}
	return nil
}

func isRegistry(s string) bool {
	return s == "localhost" || strings.ContainsAny(s, ".:")
}

func write(w io.Writer, imgs []Image) error {
	docs, err := describe(imgs)
	if err != nil {
		return err
	}
	out := tar.NewWriter(w)
	for _, b := range docs.blobs() {
		hdr := &tar.Header{Typeflag: tar.TypeReg, Name: b.name, Size: b.size, Mode: 0o644, ModTime: time.Unix(0, 0)}
		if err := out.WriteHeader(hdr); err != nil {
			return fmt.Errorf("write header of %s: %w", b.name, err)
		}
		if err := b.write(out); err != nil {
			return fmt.Errorf("write %s: %w", b.name, err)
		}
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("finish image archive: %w", err)
	}
	return nil
}
