package sbom_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/deploy/image/parts"
	"github.com/serin-dev/serin/deploy/image/sbom"
)

// TestEveryModuleIsListed that go version -m finds in the program, with its version, and each exactly once.
func TestEveryModuleIsListed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "image")
	if err := (parts.Program{Dir: "../../..", Package: "./deploy/image"}).Build(t.Context(), "arm64", file); err != nil {
		t.Fatal(err)
	}
	bom := decoded(t, sbom.Image{Name: "image", Version: "1.2.3", Programs: map[string]string{"arm64": file}, Modules: []*debug.Module{{Path: "example.com/Roots", Version: "v1.0.0+x"}}})
	listed := map[string]int{}
	for _, c := range *bom.Components {
		if c.Type == cdx.ComponentTypeLibrary {
			listed[c.Name+" "+c.Version]++
		}
	}
	want := map[string]int{"example.com/Roots v1.0.0+x": 1}
	out, err := exec.CommandContext(t.Context(), "go", "version", "-m", file).Output() //nolint:gosec // built above
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		switch f := strings.Fields(line); {
		case strings.HasPrefix(line, file):
			want["std "+strings.TrimPrefix(f[1], "go")] = 1
		case f[0] == "dep":
			want[f[1]+" "+f[2]] = 1
		}
	}
	if diff := cmp.Diff(want, listed); diff != "" || len(want) < 4 {
		t.Errorf("modules (-go version -m +listed):\n%s", diff)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	program := (*bom.Components)[0]
	if got := (*program.Hashes)[0].Value; got != hex.EncodeToString(sum[:]) || program.Name != "github.com/serin-dev/serin/deploy/image" || program.Version != "1.2.3" {
		t.Errorf("the program is listed as %+v", program)
	}
	checkReferences(t, bom)
}

// checkReferences: whatever depends or is depended on is listed.
func checkReferences(t *testing.T, bom *cdx.BOM) {
	t.Helper()
	known := []string{bom.Metadata.Component.BOMRef}
	for _, c := range *bom.Components {
		known = append(known, c.BOMRef)
	}
	for _, d := range *bom.Dependencies {
		for _, ref := range append([]string{d.Ref}, *d.Dependencies...) {
			if !slices.Contains(known, ref) {
				t.Errorf("%s is not listed", ref)
			}
		}
	}
}

// TestAPackageURL is in small letters and has no plus sign, or nobody finds the module by it.
func TestAPackageURL(t *testing.T) {
	bom := decoded(t, sbom.Image{Modules: []*debug.Module{{Path: "replaced", Version: "v0", Replace: &debug.Module{Path: "github.com/Sirupsen/logrus", Version: "v2.0.0+incompatible"}}}})
	if got := (*bom.Components)[0].PackageURL; got != "pkg:golang/github.com/sirupsen/logrus@v2.0.0%2Bincompatible" {
		t.Error(got)
	}
}

func TestWhatIsNoProgramIsRefused(t *testing.T) {
	err := sbom.Write(&bytes.Buffer{}, sbom.Image{Name: "image", Programs: map[string]string{"amd64": "sbom.go"}})
	if err == nil || !strings.HasPrefix(err.Error(), "read the modules of image for amd64: ") {
		t.Error(err)
	}
}

func decoded(t *testing.T, i sbom.Image) *cdx.BOM {
	t.Helper()
	var out bytes.Buffer
	if err := sbom.Write(&out, i); err != nil {
		t.Fatal(err)
	}
	bom := &cdx.BOM{}
	if err := cdx.NewBOMDecoder(&out, cdx.BOMFileFormatJSON).Decode(bom); err != nil {
		t.Fatal(err)
	}
	if bom.SpecVersion != cdx.SpecVersion1_6 || bom.SerialNumber != "" || bom.Metadata.Timestamp != "" {
		t.Errorf("version %s, serial number %q, time %q", bom.SpecVersion, bom.SerialNumber, bom.Metadata.Timestamp)
	}
	return bom
}
