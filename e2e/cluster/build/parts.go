package build

import (
	"context"
	"path/filepath"
	"slices"

	"github.com/serin-dev/serin/e2e/cluster/cache"
)

// Versions of what is built here, besides Kubernetes itself (kube/go.mod).
const (
	CoreDNSVersion       = "v1.15.0"
	MetricsServerVersion = "v0.9.0"
	EnvoyVersion         = "1.40.0"
	TraefikVersion       = "3.7.15"
	ContourVersion       = "v1.33.8"
	heyVersion           = "v0.1.5"
)

// Images of the cluster's own Deployments.
const (
	// PauseImage is ours, so it does not borrow upstream's name.
	PauseImage         = "serin.local/pause:1"
	CoreDNSImage       = "registry.k8s.io/coredns/coredns:" + CoreDNSVersion
	MetricsServerImage = "registry.k8s.io/metrics-server/metrics-server:" + MetricsServerVersion
)

type parts struct {
	tools []*cache.Part
	// system are the images without which the node does not become Ready.
	system, others []*cache.Part
}

func (p parts) all() []*cache.Part { return slices.Concat(p.tools, p.system, p.others) }

func (b *Builder) parts() (parts, error) {
	kube, err := b.kube()
	if err != nil {
		return parts{}, err
	}
	pause, err := b.pause()
	if err != nil {
		return parts{}, err
	}
	return parts{
		tools:  []*cache.Part{kube, b.hey()},
		system: []*cache.Part{pause, b.coreDNS(), b.metricsServer()},
		others: append(b.podinfo(), b.envoy(), b.prometheus()),
	}, nil
}

// Images lists the archives: what the node needs itself, and the others.
func (b *Builder) Images() (system, others []string, err error) {
	parts, err := b.parts()
	if err != nil {
		return nil, nil, err
	}
	return files(parts.system), files(parts.others), nil
}

func files(parts []*cache.Part) []string {
	var names []string
	for _, p := range parts {
		names = append(names, p.File)
	}
	return names
}

func (b *Builder) hey() *cache.Part {
	return b.program(program{Name: "hey", Module: "github.com/rakyll/hey", Version: heyVersion, goBuild: goBuild{Package: "."}})
}

func (b *Builder) pause() (*cache.Part, error) {
	dir := filepath.Join(b.source, "pause")
	sources, err := cache.SourceDigest(dir)
	if err != nil {
		return nil, err
	}
	bin := &cache.Part{Name: "pause", File: b.cache.Bin("pause"), Recipe: sources,
		Make: func(ctx context.Context, dst, scratch string) error {
			return goBuild{Dir: dir, Package: "."}.run(ctx, dst, scratch)
		}}
	return b.static("pause", PauseImage, bin), nil
}

func (b *Builder) metricsServer() *cache.Part {
	bin := b.program(program{
		Name: "metrics-server", Module: "sigs.k8s.io/metrics-server", Version: MetricsServerVersion,
		goBuild: goBuild{
			Package:   "./cmd/metrics-server",
			Variables: []string{"sigs.k8s.io/metrics-server/pkg/version.gitVersion=" + MetricsServerVersion},
		},
		Hint: "2 minutes of CPU the first time",
	})
	return b.static("metrics-server", MetricsServerImage, bin)
}
