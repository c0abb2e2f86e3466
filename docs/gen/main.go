// Command gen writes the field reference, a page a kind, from the generated CRDs. It reads those and
// not the Go types, so that it shows what the API server enforces.
//
//	go run ./docs/gen deploy/crds docs/reference
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: gen CRD-FOLDER OUTPUT-FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(crds, out string) error {
	files, err := filepath.Glob(filepath.Join(crds, "*.yaml"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("no CRD in %s", crds)
	}
	for _, file := range files {
		crd, err := read(file)
		if err != nil {
			return err
		}
		page := filepath.Join(out, strings.ToLower(crd.Spec.Names.Kind)+".md")
		if err := os.WriteFile(page, []byte(render(crd)), 0o644); err != nil { //nolint:gosec // a page that everyone may read
			return err
		}
	}
	return nil
}

func read(file string) (*apiextensionsv1.CustomResourceDefinition, error) {
	data, err := os.ReadFile(file) //nolint:gosec // the folder is the caller's to name
	if err != nil {
		return nil, err
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(data, crd); err != nil {
		return nil, fmt.Errorf("decode %s: %w", file, err)
	}
	return crd, nil
}
