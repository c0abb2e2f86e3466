package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// reads says which packages read which field of the API's types, by the type checker's account: by
// themselves, or through the API's methods. Who only says that a field is ignored does not read it.
func reads() (map[string][]string, error) {
	packages, err := list()
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	for _, p := range packages {
		exports[p.ImportPath] = p.Export
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	methods := map[string][]string{}
	uses := map[string][]string{}
	for _, p := range packages {
		if !strings.HasPrefix(p.ImportPath, module) || strings.HasPrefix(p.ImportPath, module+"/docs") {
			continue
		}
		info, files, err := check(fset, imports, p)
		if err != nil {
			return nil, err
		}
		if p.ImportPath == apis {
			for _, f := range functions(files) {
				methods[nameOf(info.Defs[f.Name])] = used(info, f)
			}
			continue
		}
		for _, f := range files {
			uses[p.ImportPath] = append(uses[p.ImportPath], used(info, f)...)
		}
	}
	found := map[string][]string{}
	for path, what := range uses {
		short := strings.TrimPrefix(path, module+"/")
		for _, owner := range through(what, methods) {
			found[owner] = append(found[owner], short)
		}
	}
	for owner := range found {
		slices.Sort(found[owner])
	}
	return found, nil
}

const apis = module + "/apis/v1beta1"

func functions(files []*ast.File) []*ast.FuncDecl {
	var all []*ast.FuncDecl
	for _, f := range files {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				all = append(all, fn)
			}
		}
	}
	return all
}

// through adds what the methods read that are called, and those that they call.
func through(what []string, methods map[string][]string) []string {
	seen := map[string]bool{}
	for todo := what; len(todo) > 0; {
		next := todo[0]
		todo = todo[1:]
		if !seen[next] {
			seen[next] = true
			todo = append(todo, methods[next]...)
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

type listed struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
}

func list() ([]listed, error) {
	cmd := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles", module+"/cmd/...")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list packages: %w", err)
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
}

func check(fset *token.FileSet, imports types.Importer, p listed) (*types.Info, []*ast.File, error) {
	var files []*ast.File
	for _, name := range p.GoFiles {
		if strings.HasPrefix(name, "zz_generated") || strings.HasSuffix(p.ImportPath, "controllers/canary") && name == "problems.go" {
			// Copies, and messages about fields without effect.
			continue
		}
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, nil, err
		}
		files = append(files, f)
	}
	info := &types.Info{Selections: map[*ast.SelectorExpr]*types.Selection{}, Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	// Files that are left out leave names undefined; the selections elsewhere are known all the same.
	conf := types.Config{Importer: imports, Error: func(error) {}}
	_, err := conf.Check(p.ImportPath, fset, files, info)
	if _, ok := errors.AsType[types.Error](err); err != nil && !ok {
		return nil, nil, err
	}
	return info, files, nil
}

// used lists what of the API's types a piece of code uses: the fields that it reads, as Type.Field, and
// the methods, as Type.Method(). What is only written to is not read.
func used(info *types.Info, in ast.Node) []string {
	written := map[ast.Expr]bool{}
	var all []string
	ast.Inspect(in, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				written[left] = n.Tok == token.ASSIGN
			}
		case *ast.SelectorExpr:
			if s := info.Selections[n]; s != nil && s.Kind() == types.FieldVal && !written[n] {
				all = append(all, owners(s)...)
			}
		case *ast.Ident:
			if f, ok := info.Uses[n].(*types.Func); ok && f.Pkg() != nil && f.Pkg().Path() == apis {
				all = append(all, nameOf(f))
			}
		}
		return true
	})
	return all
}

// nameOf a function: Type.Method(), or function().
func nameOf(o types.Object) string {
	f, ok := o.(*types.Func)
	if !ok {
		return ""
	}
	name := f.Name() + "()"
	if recv := f.Signature().Recv(); recv != nil {
		t := recv.Type()
		if p, ok := t.(*types.Pointer); ok {
			t = p.Elem()
		}
		if named, ok := t.(*types.Named); ok {
			name = named.Obj().Name() + "." + name
		}
	}
	return name
}

// owners are the fields on the way of a selection, through what is embedded.
func owners(s *types.Selection) []string {
	var all []string
	t := s.Recv()
	for _, i := range s.Index() {
		if p, ok := t.Underlying().(*types.Pointer); ok {
			t = p.Elem()
		}
		st, ok := t.Underlying().(*types.Struct)
		if !ok {
			break
		}
		v := st.Field(i)
		if named, ok := types.Unalias(t).(*types.Named); ok && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == apis {
			all = append(all, named.Obj().Name()+"."+v.Name())
		}
		t = v.Type()
	}
	return all
}
