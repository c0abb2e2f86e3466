package v1beta1_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// annotationLimit is what client-side apply can keep of an object in its annotation.
const annotationLimit = 256 << 10

func TestCRDsCanBeApplied(t *testing.T) {
	for file, data := range crdFiles(t) {
		if len(data) >= annotationLimit {
			t.Errorf("%s has %d bytes: kubectl apply takes less than %d", file, len(data), annotationLimit)
		}
	}
}

// Every rule has a manifest that breaks it; those that keep it stand beside it.
func TestEveryRuleIsTested(t *testing.T) {
	var refusals []string
	for _, tests := range []map[string]admission{
		canaryAdmission, analysisAdmission, metricTemplateAdmission, alertProviderAdmission,
	} {
		for tt := range maps.Values(tests) {
			refusals = append(refusals, tt.refusal)
		}
	}
	for file, data := range crdFiles(t) {
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.Unmarshal(data, crd); err != nil {
			t.Fatal(err)
		}
		for _, message := range rules(*crd.Spec.Versions[0].Schema.OpenAPIV3Schema) {
			if !slices.Contains(refusals, message) {
				t.Errorf("%s: no test breaks the rule %q", file, message)
			}
		}
	}
}

func rules(s apiextensionsv1.JSONSchemaProps) []string {
	var messages []string
	for _, r := range s.XValidations {
		messages = append(messages, r.Message)
	}
	for _, p := range s.Properties {
		messages = append(messages, rules(p)...)
	}
	if s.Items != nil {
		messages = append(messages, rules(*s.Items.Schema)...)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		messages = append(messages, rules(*s.AdditionalProperties.Schema)...)
	}
	return messages
}

func crdFiles(t *testing.T) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("../../deploy/crds/*.yaml")
	if err != nil || len(paths) != 3 {
		t.Fatalf("want three CRDs, found %v: %v", paths, err)
	}
	files := map[string][]byte{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(path, "../../")] = data
	}
	return files
}
