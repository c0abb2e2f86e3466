package v1beta1_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/apitest"
)

// Manifests written for Flagger apply when only their apiVersion is changed, and neither the API
// server nor the Go types drop anything of them.
func TestFlaggerManifestsApply(t *testing.T) {
	c := strictClient(t)
	ns := apitest.Namespace(t, c)
	for _, sent := range flaggerManifests(t) {
		t.Run(sent.GetKind()+" "+sent.GetName(), func(t *testing.T) {
			sent.SetNamespace(ns)
			stored := sent.DeepCopy()
			if err := c.Create(t.Context(), stored); err != nil {
				t.Fatal(err)
			}
			for _, lost := range missing("spec", sent.Object["spec"], stored.Object["spec"]) {
				t.Error("the API server lost", lost)
			}
			for _, lost := range missing("spec", sent.Object["spec"], throughTypes(t, c, stored)) {
				t.Error("the Go types lost", lost)
			}
		})
	}
}

// throughTypes reads an object as its Go type and returns the spec that the type writes again.
func throughTypes(t *testing.T, c client.Client, u *unstructured.Unstructured) any {
	t.Helper()
	typed := map[string]client.Object{
		"Canary":         &v1beta1.Canary{},
		"MetricTemplate": &v1beta1.MetricTemplate{},
		"AlertProvider":  &v1beta1.AlertProvider{},
	}[u.GetKind()]
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(u), typed); err != nil {
		t.Fatal(err)
	}
	// What a type writes must also be valid: an empty struct in place of an absent one may not be.
	if err := c.Update(t.Context(), typed, client.DryRunAll); err != nil {
		t.Errorf("written again from the Go type: %v", err)
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		t.Fatal(err)
	}
	return content["spec"]
}

func flaggerManifests(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	files, err := filepath.Glob("testdata/flagger/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	var objects []*unstructured.Unstructured
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		ours := strings.ReplaceAll(string(data), "flagger.app/v1beta1", "serin.dev/v1beta1")
		decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewBufferString(ours), 4096)
		for {
			u := &unstructured.Unstructured{}
			if err := decoder.Decode(u); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			objects = append(objects, u)
		}
	}
	return objects
}

// missing lists what is in want and not in got. What got has besides was defaulted.
func missing(path string, want, got any) []string {
	var lost []string
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok {
			return []string{path}
		}
		for key, value := range want {
			lost = append(lost, missing(path+"."+key, value, got[key])...)
		}
	case []any:
		got, ok := got.([]any)
		if !ok || len(got) != len(want) {
			return []string{path}
		}
		for i, value := range want {
			lost = append(lost, missing(fmt.Sprintf("%s[%d]", path, i), value, got[i])...)
		}
	default:
		// 99 and 99.0 are the same number and come back as an int64 or as a float64.
		if fmt.Sprint(want) != fmt.Sprint(got) {
			lost = append(lost, fmt.Sprintf("%s: %v became %v", path, want, got))
		}
	}
	return lost
}
