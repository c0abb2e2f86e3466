package upgrade

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/e2e/internal/bare"
)

// next is a version that a release to come will serve beside this one.
const next = "v1"

// TestVersionsAreOneSchema holds for every version that is served: the API server turns one into the
// other by its name alone, and no webhook of ours stands between a namespace and its deletion.
func TestVersionsAreOneSchema(t *testing.T) {
	for _, crd := range kinds(t) {
		if diff := versionsDiffer(crd); diff != "" {
			t.Error(diff)
		}
	}
}

// TestAnotherSchemaIsSeen: the kinds have one version as yet, beside which nothing can be wrong.
func TestAnotherSchemaIsSeen(t *testing.T) {
	for _, crd := range kinds(t) {
		addVersion(crd)
		if diff := versionsDiffer(crd); diff != "" {
			t.Errorf("a copy is another version: %s", diff)
		}
		second := crd.Spec.Versions[1].Schema.OpenAPIV3Schema
		delete(second.Properties, "spec")
		if versionsDiffer(crd) == "" {
			t.Errorf("%s: a version without a spec is the same", crd.Name)
		}
		crd.Spec.Versions = crd.Spec.Versions[:1]
		crd.Spec.Conversion = &apiextensionsv1.CustomResourceConversion{Strategy: apiextensionsv1.WebhookConverter}
		if versionsDiffer(crd) == "" {
			t.Errorf("%s: a conversion by a webhook is none", crd.Name)
		}
	}
}

// versionsDiffer says how a kind's versions need a conversion, or that they have one.
func versionsDiffer(crd *apiextensionsv1.CustomResourceDefinition) string {
	if c := crd.Spec.Conversion; c != nil && c.Strategy != apiextensionsv1.NoneConverter {
		return fmt.Sprintf("%s: conversion %s, want None", crd.Name, c.Strategy)
	}
	first := crd.Spec.Versions[0]
	for _, v := range crd.Spec.Versions[1:] {
		if diff := cmp.Diff(first.Schema, v.Schema); diff != "" {
			return fmt.Sprintf("%s: %s is not %s (-first +this):\n%s", crd.Name, v.Name, first.Name, diff)
		}
	}
	return ""
}

// addVersion adds a copy of the first version that is served beside it.
func addVersion(crd *apiextensionsv1.CustomResourceDefinition) {
	second := *crd.Spec.Versions[0].DeepCopy()
	second.Name, second.Storage = next, false
	crd.Spec.Versions = append(crd.Spec.Versions, second)
}

// TestASecondVersionIsServed adds one while the operator runs: a Canary that is written in it is
// adopted and rolled out, and its status can be read in it.
func TestASecondVersionIsServed(t *testing.T) {
	w := start(t, root)
	w.starts(w.now)
	w.must(w.Create(t.Context(), bare.App{Name: resting, Pods: 1, Interval: time.Second, Steps: []int32{50}}))
	w.must(w.Rests(t.Context(), resting))

	var more []*apiextensionsv1.CustomResourceDefinition
	for _, crd := range kinds(t) {
		addVersion(crd)
		more = append(more, crd)
	}
	_, err := envtest.InstallCRDs(w.server.Config, envtest.CRDInstallOptions{CRDs: more})
	w.must(err)

	c := &unstructured.Unstructured{}
	c.SetAPIVersion(v1beta1.GroupVersion.Group + "/" + next)
	c.SetKind("Canary")
	key := client.ObjectKey{Namespace: bare.Namespace, Name: resting}
	w.must(w.Client.Get(t.Context(), key, c))
	w.must(unstructured.SetNestedField(c.Object, "2s", "spec", "analysis", "interval"))
	w.must(w.Client.Update(t.Context(), c))
	w.rollsOut(resting, "app:2")
	w.must(w.Client.Get(t.Context(), key, c))
	image, _, _ := unstructured.NestedString(c.Object, "status", "promoted", "image")
	interval, _, _ := unstructured.NestedString(c.Object, "spec", "analysis", "interval")
	if image != "app:2" || interval != "2s" {
		t.Errorf("in %s app:2 is promoted with an interval of 2s, but it reads %q and %q", next, image, interval)
	}
}

// kinds are the CRDs that Serin ships.
func kinds(t *testing.T) []*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "deploy", "crds", "serin.dev_*.yaml"))
	if err != nil || len(files) != 3 {
		t.Fatalf("CRDs %v (%v), want three", files, err)
	}
	var crds []*apiextensionsv1.CustomResourceDefinition
	for _, file := range files {
		text, err := os.ReadFile(filepath.Clean(file))
		if err != nil {
			t.Fatal(err)
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(text, crd); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		crds = append(crds, crd)
	}
	return crds
}
