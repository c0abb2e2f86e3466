package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/serin-dev/serin/deploy/image/archive"
)

// install writes the image and unpacks its layer, as a container runtime does.
func install(t *testing.T, img archive.Image) string {
	t.Helper()
	var buf bytes.Buffer
	if err := archive.Write(&buf, img); err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	eachFile(t, &buf, func(hdr *tar.Header, r io.Reader) {
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(hdr.Name, "blobs/") && data[0] != '{' {
			eachFile(t, bytes.NewReader(data), func(hdr *tar.Header, r io.Reader) { installOne(t, root, hdr, r) })
		}
	})
	return root
}

func installOne(t *testing.T, root string, hdr *tar.Header, r io.Reader) {
	t.Helper()
	path := filepath.Join(root, hdr.Name)
	var err error
	switch hdr.Typeflag {
	case tar.TypeDir:
		err = os.Mkdir(path, 0o755)
		err = errors.Join(err, os.Chmod(path, hdr.FileInfo().Mode()))
	case tar.TypeSymlink:
		err = os.Symlink(hdr.Linkname, path)
	default:
		var data []byte
		data, err = io.ReadAll(r)
		err = errors.Join(err, os.WriteFile(path, data, hdr.FileInfo().Mode()))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func eachFile(t *testing.T, r io.Reader, do func(*tar.Header, io.Reader)) {
	t.Helper()
	for in := tar.NewReader(r); ; {
		hdr, err := in.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		do(hdr, in)
	}
}
