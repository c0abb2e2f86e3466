package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestFaultsFitTheSource keeps the table in step with the code: the tests themselves take minutes and
// run with make mutants.
func TestFaultsFitTheSource(t *testing.T) {
	for _, m := range mutants {
		sound, err := os.ReadFile(filepath.Join("..", source, m.file))
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := m.faulty(sound); err != nil {
			t.Errorf("%s: %v", m.fault, err)
		}
		for name := range strings.SplitSeq(m.test, "|") {
			if !declares(t, filepath.Join("..", source, m.dir, m.pkg), name) {
				t.Errorf("%s: %s has no %s, which is to notice it", m.fault, m.pkg, name)
			}
		}
	}
}

// declares is true where a package has a test of that name.
func declares(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		text, err := os.ReadFile(filepath.Clean(file))
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(text, []byte("func "+name+"("))
	})
}

func TestFirstFailure(t *testing.T) {
	out := []byte("--- FAIL: TestA (0.1s)\n    --- FAIL: TestA/one_case (0.1s)\n--- FAIL: TestB (0.1s)\nFAIL\n")
	if got := firstFailure(out); got != "`TestA/one_case`" {
		t.Errorf("%s", got)
	}
	if got := firstFailure([]byte("panic: timeout\nFAIL\n")); got != "" {
		t.Errorf("%s", got)
	}
}
