package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

const (
	passwd = "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n" //nolint:gosec // no password is in it
	group  = "root:x:0:\nnonroot:x:65532:\n"
)

// layer is the only layer of an image: its files by clean path, and what a first
// pass over them found. Its tar is written again when needed, never kept.
type layer struct {
	files  map[string]File
	digest string
	size   int64
}

func newLayer(files []File) (*layer, error) {
	l := &layer{files: map[string]File{}}
	for _, f := range files {
		name := clean(f.Path)
		if name == "" {
			return nil, fmt.Errorf("image file %q: no path", f.Path)
		}
		if _, ok := l.files[name]; ok {
			return nil, fmt.Errorf("image file /%s is given twice", name)
		}
		l.files[name] = f
	}
	l.addDefaults()
	if err := l.addParents(); err != nil {
		return nil, err
	}
	sum := sha256.New()
	size := &counter{w: sum}
	if err := l.writeTar(size); err != nil {
		return nil, err
	}
	l.digest, l.size = "sha256:"+hex.EncodeToString(sum.Sum(nil)), size.n
	return l, nil
}

// clean gives the path as it is in the tar. Rooted first, so that no ".." can
// lead out of the image.
func clean(p string) string {
	return strings.TrimPrefix(path.Clean("/"+p), "/")
}

func (l *layer) addDefaults() {
	for _, f := range []File{
		{Path: "tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777},
		{Path: "etc/passwd", Data: []byte(passwd)},
		{Path: "etc/group", Data: []byte(group)},
	} {
		if _, ok := l.files[f.Path]; !ok {
			l.files[f.Path] = f
		}
	}
}

// addParents adds the directories above every file. A parent that is a link is
// refused: extractors disagree on whether to follow or to replace it.
func (l *layer) addParents() error {
	for _, name := range slices.Collect(maps.Keys(l.files)) {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			parent, ok := l.files[dir]
			if !ok {
				l.files[dir] = File{Path: dir, Mode: fs.ModeDir}
			} else if !parent.Mode.IsDir() {
				return fmt.Errorf("image file /%s is below /%s, which is not a directory", name, dir)
			}
		}
	}
	return nil
}

// write writes the layer a second time and makes sure that it is still the one
// that was digested.
func (l *layer) write(w io.Writer) error {
	sum := sha256.New()
	if err := l.writeTar(io.MultiWriter(w, sum)); err != nil {
		return err
	}
	if got := "sha256:" + hex.EncodeToString(sum.Sum(nil)); got != l.digest {
		return fmt.Errorf("a host file changed while the image was written (layer %s, now %s)", l.digest, got)
	}
	return nil
}

func (l *layer) writeTar(w io.Writer) error {
	tw := tar.NewWriter(w)
	// A directory sorts before what is in it.
	for _, name := range slices.Sorted(maps.Keys(l.files)) {
		if err := l.files[name].writeTo(tw, name); err != nil {
			return fmt.Errorf("image file /%s: %w", name, err)
		}
	}
	return tw.Close()
}

func (f File) writeTo(tw *tar.Writer, name string) error {
	// Only name, mode, size and content: time and owner of the host stay out.
	hdr := &tar.Header{Name: name, ModTime: time.Unix(0, 0)}
	if f.Mode&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
		return fmt.Errorf("mode %s would change the user", f.Mode)
	}
	switch {
	case f.Link != "":
		hdr.Typeflag, hdr.Linkname, hdr.Mode = tar.TypeSymlink, f.Link, 0o777
		return tw.WriteHeader(hdr)
	case f.Mode.IsDir():
		hdr.Typeflag, hdr.Name, hdr.Mode = tar.TypeDir, name+"/", tarMode(f.Mode, 0o755)
		return tw.WriteHeader(hdr)
	case f.From != "":
		return f.copyHostFile(tw, hdr)
	}
	hdr.Typeflag, hdr.Mode, hdr.Size = tar.TypeReg, tarMode(f.Mode, 0o644), int64(len(f.Data))
	return copyFile(tw, hdr, bytes.NewReader(f.Data))
}

func (f File) copyHostFile(tw *tar.Writer, hdr *tar.Header) error {
	host, err := os.Open(f.From)
	if err != nil {
		return err
	}
	defer func() { _ = host.Close() }() // read only: nothing can be lost
	info, err := host.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", f.From)
	}
	standard := int64(0o644)
	if info.Mode()&0o100 != 0 {
		standard = 0o755
	}
	hdr.Typeflag, hdr.Mode, hdr.Size = tar.TypeReg, tarMode(f.Mode, standard), info.Size()
	return copyFile(tw, hdr, host)
}

func copyFile(tw *tar.Writer, hdr *tar.Header, r io.Reader) error {
	if err := tw.WriteHeader(hdr); err != nil {
		return err
	}
	_, err := io.Copy(tw, r)
	return err
}

func tarMode(mode fs.FileMode, standard int64) int64 {
	if mode.Perm() == 0 {
		return standard
	}
	m := int64(mode.Perm())
	if mode&fs.ModeSticky != 0 {
		m |= 0o1000
	}
	return m
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
