// Package cache is the folder outside the repository that keeps what is
// expensive to build, each part with the digest of the recipe it was made by.
package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Dir is the root of the cache.
type Dir string

// Open returns the user's cache folder for this project.
func Open() (Dir, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w", err)
	}
	return Dir(filepath.Join(base, "serin")), nil
}

// Bin is where a program is kept.
func (d Dir) Bin(name string) string { return filepath.Join(string(d), "bin", name) }

// Image is where an image archive is kept.
func (d Dir) Image(name string) string { return filepath.Join(string(d), "images", name+".tar") }

// Assets is the folder with etcd, kube-apiserver and kubectl for envtest.
func (d Dir) Assets() string { return filepath.Join(string(d), "assets") }

// Run holds the state of the cluster that is up: it goes when the cluster goes.
func (d Dir) Run() string { return filepath.Join(string(d), "run") }

func (d Dir) stamp(name string) string   { return filepath.Join(string(d), "stamps", name) }
func (d Dir) scratch(name string) string { return filepath.Join(string(d), "tmp", name) }

// Digest tells two lists of strings apart, whatever the strings contain.
func Digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write(fmt.Appendf(nil, "%d:%s,", len(p), p))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// SourceDigest is the digest of all files below dir, names and contents.
func SourceDigest(dir string) (string, error) {
	var parts []string
	files := os.DirFS(dir)
	err := fs.WalkDir(files, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, name)
		parts = append(parts, name, string(content))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("digest of the sources in %s: %w", dir, err)
	}
	return Digest(parts...), nil
}
