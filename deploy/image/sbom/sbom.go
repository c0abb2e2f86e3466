// Package sbom lists what an image is made of, in CycloneDX's format. The list is read from what was built and
// not from what was asked for, and says nothing of when or where: the same image has the same list.
package sbom

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// Image is what is listed.
type Image struct {
	Name, Version string
	// Programs are the files of its programs by their architectures.
	Programs map[string]string
	// Modules that have a part in it besides those of its programs.
	Modules []*debug.Module
}

// Write writes the list.
func Write(w io.Writer, i Image) error {
	modules := map[string]cdx.Component{}
	whole := add(modules, i.Modules...)
	var programs []cdx.Component
	var dependencies []cdx.Dependency
	for _, arch := range slices.Sorted(maps.Keys(i.Programs)) {
		program, linked, err := i.program(arch)
		if err != nil {
			return err
		}
		of := add(modules, linked...)
		programs, whole = append(programs, program), append(whole, program.BOMRef)
		dependencies = append(dependencies, cdx.Dependency{Ref: program.BOMRef, Dependencies: &of})
	}
	image := cdx.Component{BOMRef: "image", Type: cdx.ComponentTypeContainer, Name: i.Name, Version: i.Version}
	components := slices.Concat(programs, slices.SortedFunc(maps.Values(modules), func(a, b cdx.Component) int { return strings.Compare(a.BOMRef, b.BOMRef) }))
	dependencies = append([]cdx.Dependency{{Ref: image.BOMRef, Dependencies: &whole}}, dependencies...)
	bom := cdx.NewBOM()
	bom.Metadata, bom.Components, bom.Dependencies = &cdx.Metadata{Component: &image}, &components, &dependencies
	if err := cdx.NewBOMEncoder(w, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cdx.SpecVersion1_6); err != nil {
		return fmt.Errorf("write the list of parts: %w", err)
	}
	return nil
}

// program is one of the image's, with the modules that are linked into it. The standard library is one of them.
func (i Image) program(arch string) (cdx.Component, []*debug.Module, error) {
	file := filepath.Clean(i.Programs[arch])
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return cdx.Component{}, nil, fmt.Errorf("read the modules of %s for %s: %w", i.Name, arch, err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return cdx.Component{}, nil, err
	}
	sum := sha256.Sum256(data)
	return cdx.Component{
		BOMRef: i.Name + "-linux-" + arch, Type: cdx.ComponentTypeApplication, Name: info.Path, Version: i.Version,
		Hashes: &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}},
	}, append(info.Deps, &debug.Module{Path: "std", Version: strings.TrimPrefix(info.GoVersion, "go")}), nil
}

// add adds modules to those that are listed, and returns their names in the list.
func add(listed map[string]cdx.Component, modules ...*debug.Module) []string {
	var refs []string
	for _, m := range modules {
		if m.Replace != nil {
			m = m.Replace
		}
		// As package URLs have it: Go's names in small letters, and no plus sign in versions.
		purl := "pkg:golang/" + strings.ToLower(m.Path) + "@" + strings.ReplaceAll(m.Version, "+", "%2B")
		listed[purl] = cdx.Component{BOMRef: purl, Type: cdx.ComponentTypeLibrary, Name: m.Path, Version: m.Version, PackageURL: purl}
		refs = append(refs, purl)
	}
	slices.Sort(refs)
	return refs
}
