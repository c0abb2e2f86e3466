package node

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"

	"github.com/serin-dev/serin/e2e/cluster/build"
	"github.com/serin-dev/serin/e2e/cluster/command"
)

var (
	//go:embed manifests/coredns.yaml
	corednsManifest string
	//go:embed manifests/metrics-server.yaml
	metricsServerManifest string
)

// applyAddons creates the cluster's own Deployments. They are applied as soon as
// the API server is there, and start when the node is.
func (c *Cluster) applyAddons(ctx context.Context) error {
	data := struct{ CoreDNSImage, MetricsServerImage, DNS string }{build.CoreDNSImage, build.MetricsServerImage, dnsIP}
	for _, text := range []string{corednsManifest, metricsServerManifest} {
		manifest, err := render(text, data)
		if err != nil {
			return fmt.Errorf("manifest of an addon: %w", err)
		}
		if err := c.apply(ctx, manifest); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) apply(ctx context.Context, manifest []byte) error {
	_, err := command.Run(ctx, command.Cmd{
		Args:  []string{c.Kube, "kubectl", "apply", "--server-side", "--filename", "-"},
		Env:   []string{"KUBECONFIG=" + c.Kubeconfig(), "KUBECACHEDIR=" + c.path("kubectl")},
		Stdin: bytes.NewReader(manifest),
	})
	if err != nil {
		return fmt.Errorf("apply the cluster's addons: %w", err)
	}
	return nil
}
