package gloo

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// realSchemas is the folder with Gloo's own CRDs; without it the test is skipped.
func realSchemas(t *testing.T) string {
	t.Helper()
	dir := os.Getenv(realCRDs)
	if dir == "" {
		t.Skip(realCRDs + " is not set: it names a folder with the CRDs of a Gloo release, which are not part of this repository")
	}
	return dir
}

// schemaOf reads the schema of a kind from the CRDs of a folder.
func schemaOf(t *testing.T, dir string, kind schema.GroupVersionKind) map[string]any {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	must(t, err)
	for _, f := range files {
		body, err := os.ReadFile(f)
		must(t, err)
		var crd struct {
			Spec struct {
				Group    string
				Names    struct{ Kind string }
				Versions []struct {
					Name   string
					Schema struct{ OpenAPIV3Schema map[string]any }
				}
			}
		}
		must(t, yaml.Unmarshal(body, &crd))
		if crd.Spec.Group == kind.Group && crd.Spec.Names.Kind == kind.Kind {
			return crd.Spec.Versions[0].Schema.OpenAPIV3Schema
		}
	}
	t.Fatalf("%s has no CRD for %s", dir, kind)
	return nil
}

// compareSchema fails where our schema has what Gloo's has not, or has it otherwise.
func compareSchema(t *testing.T, path string, own, gloos map[string]any) {
	t.Helper()
	for _, constraint := range []string{"type", "minimum", "maximum", "nullable", "x-kubernetes-int-or-string"} {
		if diff := cmp.Diff(gloos[constraint], own[constraint]); diff != "" {
			t.Errorf("%s of %s (-Gloo +own):\n%s", constraint, path, diff)
		}
	}
	if items, ok := own["items"].(map[string]any); ok {
		compareSchema(t, path+"[]", items, gloos["items"].(map[string]any))
	}
	ownFields, _ := own["properties"].(map[string]any)
	gloosFields, _ := gloos["properties"].(map[string]any)
	for name, field := range ownFields {
		known, ok := gloosFields[name].(map[string]any)
		if !ok {
			t.Errorf("Gloo has no field %s.%s", path, name)
			continue
		}
		compareSchema(t, path+"."+name, field.(map[string]any), known)
	}
}
