package parts_test

import (
	"bytes"
	"crypto/x509"
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/serin-dev/serin/deploy/image/parts"
)

func TestRootsAreReadable(t *testing.T) {
	file, err := parts.Roots()
	if err != nil {
		t.Fatal(err)
	}
	if pool := x509.NewCertPool(); !pool.AppendCertsFromPEM(file.Data) {
		t.Error("no certificate in the file")
	}
	if n := bytes.Count(file.Data, []byte("BEGIN CERTIFICATE")); n < 100 {
		t.Errorf("%d certificate authorities, want Mozilla's more than a hundred", n)
	}
}

func TestBuildDoesNotDependOnTheDirectory(t *testing.T) {
	var built [][]byte
	for range 2 {
		out := filepath.Join(t.TempDir(), "hello")
		if err := (parts.Program{Dir: copyOfHello(t), Package: ".", Version: "v1.2.3-test"}).Build(t.Context(), "arm64", out); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		built = append(built, data)
	}
	if !bytes.Equal(built[0], built[1]) {
		t.Error("the same program built in two directories differs")
	}
	checkStatic(t, built[0])
}

func checkStatic(t *testing.T, data []byte) {
	t.Helper()
	bin, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if bin.Machine != elf.EM_AARCH64 {
		t.Errorf("machine = %v, want arm64", bin.Machine)
	}
	if libs, err := bin.ImportedLibraries(); err == nil && len(libs) > 0 {
		t.Errorf("needs %v, want a static program", libs)
	}
	if !bytes.Contains(data, []byte("v1.2.3-test")) {
		t.Error("version is not linked in")
	}
}

func copyOfHello(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../testdata/hello")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.com/hello\n\ngo 1.26.0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestBuildSaysWhatFailed(t *testing.T) {
	err := parts.Program{Package: "./nonexistent"}.Build(t.Context(), "amd64", filepath.Join(t.TempDir(), "x"))
	if err == nil || !strings.Contains(err.Error(), "build ./nonexistent for linux/amd64") {
		t.Errorf("error = %v", err)
	}
}
