package build

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/serin-dev/serin/e2e/cluster/cache"
)

func builder(t *testing.T) *Builder {
	t.Helper()
	source, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return &Builder{cache: cache.Dir("/cache"), source: source}
}

func TestPartsAreDistinct(t *testing.T) {
	parts, err := builder(t).parts()
	if err != nil {
		t.Fatal(err)
	}
	names, files, keys := map[string]bool{}, map[string]bool{}, map[string]string{}
	var visit func(p *cache.Part)
	visit = func(p *cache.Part) {
		for _, n := range p.Needs {
			visit(n)
		}
		if key, seen := keys[p.Name]; seen {
			if key != p.Key() {
				t.Errorf("%s has two recipes", p.Name)
			}
			return
		}
		if files[p.File] {
			t.Errorf("two parts make %s", p.File)
		}
		names[p.Name], files[p.File], keys[p.Name] = true, true, p.Key()
	}
	for _, p := range append(parts.all(), builder(t).traefik(), builder(t).contour()) {
		visit(p)
	}
	for _, name := range []string{"kube", "podcli", "podinfo-6.0.0", "image-podinfo-6.1.6", "image-envoy", "image-prometheus", "image-coredns", "image-traefik", "image-contour"} {
		if !names[name] {
			t.Errorf("no part %s", name)
		}
	}
}

func TestRecipesAreTheSameEachTime(t *testing.T) {
	for range 20 {
		a, b := builder(t).coreDNS(), builder(t).coreDNS()
		if a.Key() != b.Key() {
			t.Fatal("the same recipe has two keys")
		}
	}
}

func TestPodinfoVersionsDifferInOneVariable(t *testing.T) {
	a, b := podinfoProgram("podinfo-6.0.0", "./cmd/podinfo", "6.0.0"), podinfoProgram("podinfo-6.0.1", "./cmd/podinfo", "6.0.1")
	if a.recipe() == b.recipe() {
		t.Error("two versions have one recipe")
	}
	want := []string{"github.com/stefanprodan/podinfo/pkg/version.VERSION=6.0.1"}
	if !slices.Equal(b.Variables, want) {
		t.Errorf("variables %v, want %v", b.Variables, want)
	}
}

func TestKubeVersion(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("module x\n\nrequire (\n\tk8s.io/kubectl v0.36.3\n\tk8s.io/kubernetes v1.36.3\n)\n")
	if got, err := kubeVersion(dir); err != nil || got != "v1.36.3" {
		t.Errorf("version %q, %v", got, err)
	}
	if !slices.Contains(kubeVariables("v1.36.3"), "k8s.io/component-base/version.gitMinor=36") {
		t.Errorf("no minor version in %v", kubeVariables("v1.36.3"))
	}
	write("module x\n")
	if _, err := kubeVersion(dir); err == nil || !strings.Contains(err.Error(), "k8s.io/kubernetes") {
		t.Errorf("error %v, want what is missing", err)
	}
}

func TestLibraryPaths(t *testing.T) {
	const ldd = `	linux-vdso.so.1 (0x00007f81b6e5b000)
	libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f81b6d00000)
	libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f81b6c68000)
	/lib64/ld-linux-x86-64.so.2 (0x00007f81b6e5d000)
`
	want := []string{"/lib/x86_64-linux-gnu/libm.so.6", "/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"}
	if got := libraryPaths(ldd); !slices.Equal(got, want) {
		t.Errorf("paths %v, want %v", got, want)
	}
}

func TestPatchReplacesFilesInACopy(t *testing.T) {
	module, scratch := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{"main.go": "main", "plugins.go": "all"} {
		if err := os.WriteFile(filepath.Join(module, name), []byte(text), 0o444); err != nil {
			t.Fatal(err)
		}
	}
	p := program{Patch: map[string]string{"plugins.go": "few"}}
	dir, err := p.patch(module, scratch)
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		filepath.Join(dir, "main.go"): "main", filepath.Join(dir, "plugins.go"): "few", filepath.Join(module, "plugins.go"): "all",
	} {
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v; want %q", file, got, err, want)
		}
	}
	if dir, err := (program{}).patch(module, scratch); err != nil || dir != module {
		t.Errorf("without a patch: %s, %v; want the module itself", dir, err)
	}
}
