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
		name, _, _ := strings.Cut(m.run, "/")
		if name = strings.Trim(name, "^$"); !declares(t, filepath.Join("..", source, m.dir, m.pkg), name) {
			t.Errorf("%s: %s has no %s, which is to notice it", m.fault, m.pkg, name)
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

func TestCaught(t *testing.T) {
	const crash = "--- FAIL: TestCrash (9s)\n    --- FAIL: TestCrash/success (1s)\n        --- FAIL: TestCrash/success/dies_before_write_3 (1s)\n"
	for sentence, test := range map[string]struct {
		run, out, want string
		bad            bool
	}{
		"a test":                             {run: "TestA", out: "--- FAIL: TestA (0.1s)\nFAIL\n", want: "`TestA`"},
		"the first, and the innermost of it": {run: "TestA", out: "--- FAIL: TestA (0.1s)\n    --- FAIL: TestA/one_case (0.1s)\n--- FAIL: TestB (0.1s)\nFAIL\n", want: "`TestA/one_case`"},
		"as deep as it has to lie":           {run: "TestCrash/./.", out: crash, want: "`TestCrash/success/dies_before_write_3`"},
		"an undisturbed run":                 {run: "TestCrash/./.", out: "--- FAIL: TestCrash (9s)\n    --- FAIL: TestCrash/success (1s)\n", bad: true},
		"an undisturbed run beside it":       {run: "TestCrash/./.", out: crash + "    --- FAIL: TestCrash/rollback (1s)\n", bad: true},
		"no test":                            {run: "TestA", out: "panic: timeout\nFAIL\n"},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, err := check{run: test.run}.caught([]byte(test.out))
			if got != test.want || (err != nil) != test.bad {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// TestChecksPassWithoutFaults: a test that fails and one that is not there find nothing.
func TestChecksPassWithoutFaults(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":    "module example.com/tried\n",
		"a_test.go": "package tried\n\nimport \"testing\"\n\nfunc TestGood(*testing.T) {}\n\nfunc TestBad(t *testing.T) { t.Error(\"bad\") }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for run, passes := range map[string]bool{"^TestGood$": true, "^TestBad$": false, "^TestNone$": false} {
		c := check{dir: ".", pkg: ".", run: run}
		err := passWithoutFaults(t.Context(), dir, []mutant{{check: c}, {check: c}})
		if (err == nil) != passes {
			t.Errorf("%s: %v", run, err)
		}
		if err != nil && !strings.Contains(err.Error(), run) {
			t.Errorf("%v does not name %s", err, run)
		}
	}
}
