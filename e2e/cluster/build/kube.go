package build

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/serin-dev/serin/e2e/cluster/cache"
)

// kube is the nested module with all Kubernetes programs in one binary. It is a
// module of its own because its pinned dependencies suit nobody else.
func (b *Builder) kube() (*cache.Part, error) {
	dir := filepath.Join(b.source, "kube")
	sources, err := cache.SourceDigest(dir)
	if err != nil {
		return nil, err
	}
	version, err := kubeVersion(dir)
	if err != nil {
		return nil, err
	}
	variables := kubeVariables(version)
	return &cache.Part{
		Name: "kube", File: b.cache.Bin("kube"),
		Recipe: cache.Digest(append(variables, sources)...),
		Hint:   "10 to 20 minutes of CPU the first time",
		Make: func(ctx context.Context, dst, scratch string) error {
			return goBuild{Dir: dir, Package: ".", Variables: variables}.run(ctx, dst, scratch)
		},
	}, nil
}

var kubeRequirement = regexp.MustCompile(`(?m)^\s*k8s\.io/kubernetes (v1\.\d+\.\S+)$`)

// kubeVersion is the version of Kubernetes that the module in dir requires.
func kubeVersion(dir string) (string, error) {
	file := filepath.Join(dir, "go.mod")
	mod, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("version of Kubernetes: %w", err)
	}
	found := kubeRequirement.FindSubmatch(mod)
	if found == nil {
		return "", fmt.Errorf("version of Kubernetes: %s requires no k8s.io/kubernetes", file)
	}
	return string(found[1]), nil
}

// kubeVariables are what a release build stamps into the binaries. Without a
// version the API server refuses to start; the date is a constant so that equal
// sources give an equal binary.
func kubeVariables(version string) []string {
	const pkg = "k8s.io/component-base/version."
	minor := strings.Split(version, ".")[1]
	return []string{
		pkg + "gitVersion=" + version,
		pkg + "gitMajor=1",
		pkg + "gitMinor=" + minor,
		pkg + "gitCommit=gomod",
		pkg + "gitTreeState=clean",
		pkg + "buildDate=2026-01-01T00:00:00Z",
		"k8s.io/client-go/pkg/version.gitVersion=" + version,
	}
}
