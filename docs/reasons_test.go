package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// speakers are the packages whose reasons users meet. The fake router's are for tests.
var speakers = []string{"pkg/rollout", "controllers/canary", "router", "router/*"}

var silent = []string{"router/fake", "router/routertest"}

// reasonWord is how a reason looks: one word or several, in camel case.
var reasonWord = regexp.MustCompile(`^[A-Z][a-z]+(?:[A-Z][a-z]+)*$`)

// TestReasonsAreExplained holds docs/reasons.md against the code, in both directions.
func TestReasonsAreExplained(t *testing.T) {
	explained := tabulated(t)
	used := constants(t, "Step", "Outcome")
	for _, file := range sources(t) {
		maps.Copy(used, reasonsIn(t, file))
	}
	if len(used) < 50 {
		t.Fatalf("found only %d reasons: the search does not fit the code any more", len(used))
	}
	for _, r := range slices.Sorted(maps.Keys(used)) {
		if !explained[r] {
			t.Errorf("reasons.md does not explain %s of %s", r, used[r])
		}
	}
	for _, r := range slices.Sorted(maps.Keys(explained)) {
		if used[r] == "" {
			t.Errorf("reasons.md explains %s, which nothing says", r)
		}
	}
}

// tabulated are the reasons in the first cells of the tables.
func tabulated(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("reasons.md")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		for _, m := range regexp.MustCompile("`([A-Za-z]+)`").FindAllStringSubmatch(cells[1], -1) {
			found[m[1]] = true
		}
	}
	return found
}

func sources(t *testing.T) []string {
	t.Helper()
	var files []string
	for _, s := range speakers {
		found, err := filepath.Glob(filepath.Join(root, s, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	return slices.DeleteFunc(files, func(f string) bool {
		dir, err := filepath.Rel(root, filepath.Dir(f))
		return err != nil || strings.HasSuffix(f, "_test.go") || slices.Contains(silent, dir)
	})
}

// reasonsIn finds the words that a file gives as reasons, with the place of each.
func reasonsIn(t *testing.T, path string) map[string]string {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	add := func(e ast.Expr) {
		if word, ok := literal(e); ok && reasonWord.MatchString(word) {
			found[word] = files.Position(e.Pos()).String()
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.KeyValueExpr: // Telling{Reason: "…"}, hold{reason: "…"}
			if isReason(n.Key) {
				add(n.Value)
			}
		case *ast.CompositeLit: // Problem{"…", …}
			if named(n.Type) == "Problem" && len(n.Elts) > 0 {
				add(n.Elts[0])
			}
		case *ast.CallExpr: // p.wait("…", …), v.problem("…", …)
			if slices.Contains(tellers, named(n.Fun)) {
				for _, a := range n.Args {
					add(a)
				}
			}
		case *ast.AssignStmt: // r.Reason = "…"
			for i, left := range n.Lhs {
				if isReason(left) && i < len(n.Rhs) {
					add(n.Rhs[i])
				}
			}
		case *ast.FuncDecl:
			if n.Name.Name == "explain" {
				ast.Inspect(n, func(n ast.Node) bool {
					if r, ok := n.(*ast.ReturnStmt); ok && len(r.Results) > 0 {
						add(r.Results[0])
					}
					return true
				})
			}
		}
		return true
	})
	return found
}

// tellers are the functions that take a reason.
var tellers = []string{"wait", "fail", "end", "holdCheck", "say", "restoreFor", "unbake", "problem", "warning", "warn", "set", "stay"}

func isReason(e ast.Expr) bool { return strings.EqualFold(named(e), "reason") }

// named is the last part of a name: Problem of rollout.Problem.
func named(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

func literal(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}

// constants are the values of typed constants of the API, which are given as reasons too.
func constants(t *testing.T, types ...string) map[string]string {
	t.Helper()
	files := token.NewFileSet()
	path := filepath.Join(root, "apis", "v1beta1", "constants.go")
	file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || !slices.Contains(types, named(v.Type)) {
			return true
		}
		for _, e := range v.Values {
			if word, ok := literal(e); ok {
				found[word] = files.Position(e.Pos()).String()
			}
		}
		return true
	})
	return found
}
