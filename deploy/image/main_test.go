package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestImageIsReproducible(t *testing.T) {
	args := []string{"-package", "./testdata/hello", "-tag", "serin.dev/hello:dev", "-version", "v1"}
	first, second := filepath.Join(t.TempDir(), "a", "first.tar"), filepath.Join(t.TempDir(), "second.tar")
	for _, out := range []string{first, second} {
		if err := run(t.Context(), append(args, "-o", out), io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	a, b := readFile(t, first), readFile(t, second)
	if !bytes.Equal(a, b) {
		t.Error("two builds differ")
	}
	list := readFile(t, strings.TrimSuffix(first, ".tar")+".cdx.json")
	if !bytes.Equal(list, readFile(t, strings.TrimSuffix(second, ".tar")+".cdx.json")) {
		t.Error("the lists of parts of two builds differ")
	}
	for _, part := range []string{"hello-linux-amd64", "hello-linux-arm64", "pkg:golang/std@", "pkg:golang/golang.org/x/crypto/x509roots/fallback@v0"} {
		if !bytes.Contains(list, []byte(part)) {
			t.Errorf("the list has no %s:\n%s", part, list)
		}
	}
	var layers []string
	for _, data := range tarFiles(t, a) {
		if names := tarFiles(t, data); len(names) > 0 {
			layers = append(layers, strings.Join(sortedKeys(names), " "))
		}
	}
	want := "etc/ etc/group etc/passwd etc/ssl/ etc/ssl/certs/ etc/ssl/certs/ca-certificates.crt hello tmp/"
	if diff := cmp.Diff([]string{want, want}, layers); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
}

func TestRunRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no tag":              {nil, "no -tag given, for example -tag serin.dev/serin:dev"},
		"a stray argument":    {[]string{"-tag", "a.b/c:d", "x"}, `unexpected argument "x"`},
		"an unknown platform": {[]string{"-tag", "a.b/c:d", "-package", "./testdata/hello", "-arch", "z80"}, "for linux/z80"},
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out.tar")
			err := run(t.Context(), append([]string{"-o", out}, tc.args...), io.Discard)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error = %v, want it to contain %q", err, tc.want)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("a failed build left an archive")
			}
		})
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// tarFiles returns the files of a tar, none when data is something else.
func tarFiles(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		hdr, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			return nil
		}
		if files[hdr.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func sortedKeys(m map[string][]byte) []string {
	return slices.Sorted(maps.Keys(m))
}
