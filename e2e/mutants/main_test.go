package main

import (
	"os"
	"path/filepath"
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
		if _, err := os.Stat(filepath.Join("..", source, m.dir, m.pkg)); err != nil {
			t.Errorf("%s: %v", m.fault, err)
		}
	}
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
