package stage

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/serin-dev/serin/e2e/cluster/command"
)

// environment of the programs: they are for the stage's cluster, whatever the caller's is.
func (s *Stage) environment() []string {
	if s.Kubeconfig == "" {
		return nil
	}
	return []string{"KUBECONFIG=" + s.Kubeconfig}
}

// goRun runs a program of the module in the given folder of the repository.
func (s *Stage) goRun(ctx context.Context, module string, args ...string) ([]byte, error) {
	return command.Run(ctx, command.Cmd{
		Dir: s.Path(module), Env: s.environment(), Args: append([]string{"go", "run"}, args...),
	})
}

// attached runs a program whose own lines of progress are shown.
func (s *Stage) attached(ctx context.Context, dir, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	cmd.Env = append(os.Environ(), s.environment()...)
	// An interrupt, so that what is half done can be left in order.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", program, err)
	}
	return nil
}

func (s *Stage) kubectl(ctx context.Context, args ...string) error {
	_, err := s.KubectlOutput(ctx, args...)
	return err
}

// KubectlOutput runs kubectl on the stage's cluster.
func (s *Stage) KubectlOutput(ctx context.Context, args ...string) (string, error) {
	out, err := command.Run(ctx, command.Cmd{Env: s.environment(), Args: append([]string{s.Kubectl}, args...)})
	return string(out), err
}

// apply applies manifests the way a user would.
func (s *Stage) apply(ctx context.Context, manifest string, args ...string) error {
	_, err := command.Run(ctx, command.Cmd{
		Env: s.environment(), Stdin: strings.NewReader(manifest),
		Args: append([]string{s.Kubectl, "apply", "-f", "-"}, args...),
	})
	return err
}

// ApplyText applies manifests as they are.
func (s *Stage) ApplyText(ctx context.Context, manifest string) error { return s.apply(ctx, manifest) }

// applyRenamed applies manifests that are written for the local names.
func (s *Stage) applyRenamed(ctx context.Context, manifest string, args ...string) error {
	return s.apply(ctx, s.rename(manifest), args...)
}

// ApplyFolder applies a folder of the repository with a kustomization, in the given namespace where
// its objects name none.
func (s *Stage) ApplyFolder(ctx context.Context, folder, namespace string) error {
	manifest, err := s.KubectlOutput(ctx, "kustomize", s.Path(folder))
	if err != nil {
		return err
	}
	manifest = strings.ReplaceAll(manifest, "image: serin.dev/loadtester:dev", "image: "+s.Image("loadtester"))
	return s.applyRenamed(ctx, manifest, "--namespace", namespace)
}

// helm is built from the repository's own module of tools.
func (s *Stage) helm(ctx context.Context, args ...string) ([]byte, error) {
	return command.Run(ctx, command.Cmd{
		Dir: s.Path("deploy", "tools"), Env: s.environment(), Args: append([]string{"go", "tool", "helm"}, args...),
	})
}
