package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	crdFolder  = "../../deploy/crds"
	pageFolder = "../reference"
)

func TestPagesAreCurrent(t *testing.T) {
	dir := t.TempDir()
	if err := run(crdFolder, dir); err != nil {
		t.Fatal(err)
	}
	want, got := pages(t, dir), pages(t, pageFolder)
	for name := range want {
		if diff := cmp.Diff(want[name], got[name]); diff != "" {
			t.Errorf("%s is not what the CRDs say; run go generate ./apis/... (-want +got):\n%s", name, diff)
		}
	}
}

func TestLinksLead(t *testing.T) {
	link, heading := regexp.MustCompile(`\]\(#([^)]*)\)`), regexp.MustCompile(`(?m)^##+ (.*)$`)
	for name, text := range pages(t, pageFolder) {
		places := map[string]int{}
		for _, m := range heading.FindAllStringSubmatch(text, -1) {
			places[anchor(m[1])]++
		}
		for place, n := range places {
			if n > 1 {
				t.Errorf("%s: %d sections share the anchor #%s", name, n, place)
			}
		}
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if places[m[1]] == 0 {
				t.Errorf("%s: #%s leads nowhere", name, m[1])
			}
		}
	}
}

// A pipe that is not escaped would cut a table's row.
func TestRowsHaveThreeCells(t *testing.T) {
	bars := regexp.MustCompile(`(^|[^\\])\|`)
	for name, text := range pages(t, pageFolder) {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "|") && len(bars.FindAllString(line, -1)) != 4 {
				t.Errorf("%s: %s", name, line)
			}
		}
	}
}

func pages(t *testing.T, dir string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no pages in %s: %v", dir, err)
	}
	texts := map[string]string{}
	for _, file := range files {
		if filepath.Base(file) == "fields.md" {
			continue // docs/gen/fields makes it, and tests it
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.Base(file)] = string(text)
	}
	return texts
}
