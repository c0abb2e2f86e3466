package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// extract writes the programs and libraries of a package's tar below root, all
// under usr: releases differ in what they still have outside it, and the image
// shall not. Permissions and owners are not kept.
func extract(r io.Reader, root string) error {
	for in := tar.NewReader(r); ; {
		hdr, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read package: %w", err)
		}
		name := merged(hdr.Name)
		if !strings.HasPrefix(name, "usr/bin/") && !strings.HasPrefix(name, "usr/lib") {
			continue
		}
		if err := extractOne(in, hdr, name, filepath.Join(root, name)); err != nil {
			return fmt.Errorf("extract %s: %w", name, err)
		}
	}
}

func extractOne(in io.Reader, hdr *tar.Header, name, to string) error {
	if hdr.Typeflag != tar.TypeReg && hdr.Typeflag != tar.TypeSymlink {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil { //nolint:gosec // public files
		return err
	}
	if hdr.Typeflag == tar.TypeSymlink {
		target, err := filepath.Rel(path.Dir(name), merged(absolute(hdr)))
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	}
	mode := os.FileMode(0o644)
	if hdr.Mode&0o100 != 0 {
		mode = 0o755
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// absolute gives the target of a link as seen from the package's root.
func absolute(hdr *tar.Header) string {
	if path.IsAbs(hdr.Linkname) {
		return hdr.Linkname
	}
	return path.Join("/", path.Dir(hdr.Name), hdr.Linkname) //nolint:gosec // joined to the root, it cannot leave it
}

// merged gives the relative path of a file once /bin, /lib… are links into /usr.
func merged(name string) string {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	top, _, _ := strings.Cut(name, "/")
	if top == "bin" || top == "sbin" || strings.HasPrefix(top, "lib") {
		return "usr/" + name
	}
	return name
}
