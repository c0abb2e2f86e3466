package build

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/serin-dev/serin/e2e/cluster/cache"
	"github.com/serin-dev/serin/e2e/cluster/command"
)

// goEnv keeps the user's Go settings and an enclosing workspace out: the
// versions are the ones of each module's own go.mod and go.sum, exactly.
var goEnv = []string{"CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly -buildvcs=false"}

// goBuild compiles one static program in the module at dir.
type goBuild struct {
	Dir, Package string
	// Tags are build tags, separated by commas.
	Tags string
	// Variables are set by the linker, as import/path.name=value.
	Variables []string
}

func (g goBuild) run(ctx context.Context, dst, tmp string) error {
	ldflags := strings.Join(append([]string{"-s -w"}, g.Variables...), " -X ")
	args := []string{"go", "build", "-trimpath", "-tags", g.Tags, "-ldflags", ldflags, "-o", dst, g.Package}
	// A temporary folder of ours: a killed run leaves nothing in the machine's.
	env := append([]string{"GOTMPDIR=" + tmp}, goEnv...)
	_, err := command.Run(ctx, command.Cmd{Dir: g.Dir, Env: env, Args: args})
	return err
}

// program is a Go program of somebody else's module, built inside the module's
// own folder so that its tested dependencies are the ones used.
type program struct {
	Name, Module, Version string
	goBuild
	// Patch replaces files of the module, by their path in it.
	Patch map[string]string
	Hint  string
}

func (p program) recipe() string {
	// A map is marshalled in the order of its keys, so equal programs are equal.
	text, err := json.Marshal(p)
	if err != nil {
		panic("program " + p.Name + " cannot be marshalled: " + err.Error())
	}
	return cache.Digest("go build", string(text))
}

func (b *Builder) program(p program) *cache.Part {
	return &cache.Part{Name: p.Name, File: b.cache.Bin(p.Name), Recipe: p.recipe(), Hint: p.Hint,
		Make: func(ctx context.Context, dst, scratch string) error {
			dir, err := moduleDir(ctx, scratch, p.Module, p.Version)
			if err != nil {
				return err
			}
			if p.Dir, err = p.patch(dir, scratch); err != nil {
				return fmt.Errorf("patch module %s: %w", p.Module, err)
			}
			return p.run(ctx, dst, scratch)
		}}
}

// patch copies the module if files of it are to be replaced: Go's own overlay
// refuses to touch the module cache.
func (p program) patch(module, scratch string) (string, error) {
	if len(p.Patch) == 0 {
		return module, nil
	}
	dir := filepath.Join(scratch, "module")
	if err := os.CopyFS(dir, os.DirFS(module)); err != nil {
		return "", err
	}
	for name, content := range p.Patch {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// moduleDir downloads a module and returns its folder in the module cache, which
// is read-only. It runs in scratch, where there is no go.mod to be consulted.
func moduleDir(ctx context.Context, scratch, module, version string) (string, error) {
	out, err := command.Run(ctx, command.Cmd{Dir: scratch, Env: goEnv, Args: []string{"go", "mod", "download", "-json", module + "@" + version}})
	if err != nil {
		return "", fmt.Errorf("download module %s: %w", module, err)
	}
	var found struct{ Dir string }
	if err := json.Unmarshal(out, &found); err != nil || found.Dir == "" {
		return "", fmt.Errorf("download module %s: unexpected answer %q", module, out)
	}
	return found.Dir, nil
}
