package stage

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/serin-dev/serin/e2e/gateway/manifests"
)

// shipped are the manifests that the stage installs.
func shipped(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, pattern := range []string{"samples/podinfo", "samples/gloo-virtualservice", "samples/canary-gloo", "samples/namespace", "loadtester/*"} {
		files, err := filepath.Glob(filepath.Join("../../../deploy", pattern+".yaml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no files for %s: %v", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			out[file] = string(text)
		}
	}
	files, err := fs.Glob(manifests.FS, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := fs.ReadFile(manifests.FS, file)
		if err != nil {
			t.Fatal(err)
		}
		out["gateway/"+file] = string(text)
	}
	return out
}

// In somebody's cluster nothing may point to a namespace or a role that is not the demo's own.
func TestNothingIsLeftOfTheLocalNames(t *testing.T) {
	comments := regexp.MustCompile(`(?m)^\s*#.*$`)
	foreign := regexp.MustCompile(`(?m)(namespace: (test|serin-system)|\.test\b|gloo-system|:serin-system:|name: serin-e2e-gateway).*$`)
	for file, text := range shipped(t) {
		if left := foreign.FindString(comments.ReplaceAllString(existingNames.rename(text), "")); left != "" {
			t.Errorf("%s still has %q", file, left)
		}
	}
}

func TestLocalNamesAreThoseOfTheManifests(t *testing.T) {
	for file, text := range shipped(t) {
		if localNames.rename(text) != text {
			t.Errorf("%s is changed for the local cluster", file)
		}
	}
}

func TestTheGatewaysManifestTakesItsSettings(t *testing.T) {
	text := ""
	for file, manifest := range shipped(t) {
		if strings.HasPrefix(file, "gateway/") {
			text += manifest
		}
	}
	got := gatewaySettings(text, "registry.example/e2e-gateway:x", "abc", "serin-demo-gateway")
	for _, want := range []string{
		"image: registry.example/e2e-gateway:x\n", "args: [-namespace=serin-demo-gateway]\n", `serin.dev/image-digest: "abc"`,
	} {
		if strings.Count(got, want) != 1 {
			t.Errorf("%q is there %d times", want, strings.Count(got, want))
		}
	}
}
