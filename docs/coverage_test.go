package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// namedTest is how coverage.md names one: package and name, and after a slash the case.
var namedTest = regexp.MustCompile("`([a-z0-9/-]+)` `(Test[A-Za-z0-9]+)(?:/([^`]+))?`")

// TestWhatShowsItExists finds each test that coverage.md names.
func TestWhatShowsItExists(t *testing.T) {
	text, err := os.ReadFile("coverage.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) != 2 || strings.HasPrefix(line, "|-") || strings.HasSuffix(line, "| Test |\n") {
			continue
		}
		rows++
		named := namedTest.FindAllStringSubmatch(cells[1], -1)
		if len(named) == 0 {
			t.Errorf("no test is named: %s", line)
		}
		for _, m := range named {
			seekTest(t, m[1], m[2], m[3])
		}
	}
	if rows < 50 {
		t.Fatalf("found only %d rows: the search does not fit the page any more", rows)
	}
	t.Logf("%d rows", rows)
}

// TestAnswersToThreatsAreShown finds each test that threat-model.md names; no answer is without one.
func TestAnswersToThreatsAreShown(t *testing.T) {
	text, err := os.ReadFile("threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| Threat | Answer | Test |\n|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := 0
	for line := range strings.Lines(table) {
		rows++
		named := namedTest.FindAllStringSubmatch(line, -1)
		if len(named) == 0 {
			t.Errorf("no test is named: %s", line)
		}
		for _, m := range named {
			seekTest(t, m[1], m[2], m[3])
		}
	}
	if rows < 15 {
		t.Fatalf("found only %d rows: the search does not fit the page any more", rows)
	}
}

func seekTest(t *testing.T, pkg, name, kase string) {
	t.Helper()
	functions, texts := declared(t, filepath.Join(root, pkg))
	if !functions[name] {
		t.Errorf("%s has no %s", pkg, name)
		return
	}
	if kase == "" || texts[kase] {
		return
	}
	// The cases of a conformance suite are in a package beside.
	suites, err := filepath.Glob(filepath.Join(root, "*", "*test"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range suites {
		if _, texts := declared(t, dir); texts[kase] {
			return
		}
	}
	t.Errorf("%s %s has no case %q", pkg, name, kase)
}

// declared are the test functions of a folder, and the strings in its tests. A suite is all code.
func declared(t *testing.T, dir string) (functions, texts map[string]bool) {
	t.Helper()
	functions, texts = map[string]bool{}, map[string]bool{}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") && !strings.HasSuffix(dir, "test") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				functions[n.Name.Name] = true
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
					texts[text] = true
				}
			}
			return true
		})
	}
	return functions, texts
}
