// Package debian gets what the cluster takes from the distribution.
package debian

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"

	"github.com/serin-dev/serin/e2e/cluster/command"
)

// Steps is told what happens.
type Steps interface {
	Step(format string, args ...any)
}

// Tool is a file that a package brings: a program to be found in the PATH, or
// any file by its absolute path.
type Tool struct{ File, Package string }

// Install installs the packages of the tools that are missing, with apt-get.
func Install(ctx context.Context, tools []Tool, steps Steps) error {
	missing := missingPackages(tools)
	if len(missing) == 0 {
		return nil
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("the Debian packages %v are missing and only root can install them: apt-get install them, or run this as root", missing)
	}
	steps.Step("installing Debian packages %v", missing)
	install := append([]string{"apt-get", "install", "--yes", "--quiet", "--no-install-recommends"}, missing...)
	if err := withLists(ctx, install); err != nil {
		return fmt.Errorf("install Debian packages: %w", err)
	}
	return nil
}

func missingPackages(tools []Tool) []string {
	var missing []string
	for _, t := range tools {
		// LookPath also accepts absolute paths, but only of programs.
		_, err := exec.LookPath(t.File)
		if _, statErr := os.Stat(t.File); err != nil && statErr != nil && !slices.Contains(missing, t.Package) {
			missing = append(missing, t.Package)
		}
	}
	return missing
}

// withLists runs apt-get, and once more with fresh package lists if it fails: on
// a bare machine there are none, elsewhere they may name versions that are gone.
func withLists(ctx context.Context, apt []string) error {
	env := []string{"DEBIAN_FRONTEND=noninteractive"}
	if _, err := command.Run(ctx, command.Cmd{Env: env, Args: apt}); err == nil {
		return nil
	}
	if _, err := command.Run(ctx, command.Cmd{Env: env, Args: []string{"apt-get", "update", "--quiet"}}); err != nil {
		return err
	}
	_, err := command.Run(ctx, command.Cmd{Env: env, Args: apt})
	return err
}
