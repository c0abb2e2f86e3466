package node

import (
	"context"
	"errors"
	"os"
)

// Images are the archives that are imported into the node.
type Images struct {
	// System has what the node itself needs.
	System []string
	// Others may come while the node starts.
	Others []string
}

// Up starts the cluster and returns when it can be used. What a failed or
// interrupted Up leaves, Down removes.
func (c *Cluster) Up(ctx context.Context, images Images) error {
	if err := c.checkPath(); err != nil {
		return err
	}
	for _, dir := range []string{"log", "cni"} {
		if err := os.MkdirAll(c.path(dir), 0o750); err != nil {
			return err
		}
	}
	if err := c.startControlPlane(ctx); err != nil {
		return err
	}
	if err := c.startNode(ctx, images); err != nil {
		return err
	}
	return os.WriteFile(c.path("ready"), nil, 0o600)
}

// IsUp says whether a whole Up has been done and the API still answers.
func (c *Cluster) IsUp(ctx context.Context) bool {
	if _, err := os.Stat(c.path("ready")); err != nil {
		return false
	}
	api, err := c.api()
	return err == nil && api.ready(ctx)
}

// startControlPlane prepares the namespaces and starts the API server, which
// takes seconds to be ready: the node's part goes on meanwhile.
func (c *Cluster) startControlPlane(ctx context.Context) error {
	if err := c.createNetwork(ctx); err != nil {
		return err
	}
	if err := errors.Join(createCgroups(), c.createMountPoints(), c.createCertificates(), c.writeConfig()); err != nil {
		return err
	}
	if err := c.startHolder(ctx); err != nil {
		return err
	}
	return c.startAPI()
}

func (c *Cluster) startNode(ctx context.Context, images Images) error {
	if err := c.startContainerd(ctx); err != nil {
		return err
	}
	system, others := make(chan error, 1), make(chan error, 1)
	go func() {
		system <- c.importImages(ctx, images.System)
		others <- c.importImages(ctx, images.Others)
	}()

	api, err := c.api()
	if err != nil {
		return err
	}
	if err := c.startControllers(ctx, api); err != nil {
		return err
	}
	if err := c.applyAddons(ctx); err != nil {
		return err
	}
	if err := <-system; err != nil {
		return err
	}
	if err := c.startKubelet(); err != nil {
		return err
	}
	if err := c.waitForAll(ctx, api); err != nil {
		return err
	}
	if err := <-others; err != nil {
		return err
	}
	c.steps.Step("%d images are on the node", len(images.System)+len(images.Others))
	return nil
}

func (c *Cluster) startKubelet() error {
	kubelet := []string{
		c.Kube, "kubelet", "--config=" + c.path("kubelet.yaml"), "--kubeconfig=" + c.pki("kubelet.kubeconfig"),
		"--root-dir=" + c.path("kubelet"), "--cert-dir=" + c.path("kubelet", "pki"),
		"--hostname-override=" + nodeName, "--node-ip=" + nodeIP,
	}
	if err := c.start("kubelet", kubelet...); err != nil {
		return err
	}
	return c.start("kube-proxy", c.Kube, "kube-proxy", "--config="+c.path("kube-proxy.yaml"))
}

func (c *Cluster) waitForAll(ctx context.Context, api *api) error {
	for _, goal := range []struct{ what, condition, path string }{
		{"node is Ready", "Ready", "/api/v1/nodes/" + nodeName},
		{"CoreDNS is Available", "Available", "/apis/apps/v1/namespaces/kube-system/deployments/coredns"},
		{"metrics-server is Available", "Available", "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io"},
	} {
		if err := c.wait(ctx, goal.what, api.is(goal.condition, goal.path)); err != nil {
			return err
		}
	}
	return nil
}

// Load adds image archives to a cluster that is up.
func (c *Cluster) Load(ctx context.Context, archives []string) error {
	for _, file := range archives {
		if err := c.importImages(ctx, []string{file}); err != nil {
			return err
		}
		c.steps.Step("loaded %s", file)
	}
	return nil
}
