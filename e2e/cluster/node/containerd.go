package node

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"text/template"

	"github.com/serin-dev/serin/e2e/cluster/build"
	"github.com/serin-dev/serin/e2e/cluster/command"
	"github.com/serin-dev/serin/e2e/cluster/debian"
)

// Tools are what the node takes from Debian.
var Tools = []debian.Tool{
	{File: "containerd", Package: "containerd"},
	{File: "ctr", Package: "containerd"},
	{File: "runc", Package: "runc"},
	{File: cniPlugins + "/bridge", Package: "containernetworking-plugins"},
	{File: "iptables", Package: "iptables"}, // for host ports, by the CNI plugin portmap
	{File: "nft", Package: "nftables"},      // for Services, by kube-proxy
	{File: "ip", Package: "iproute2"},
	{File: "modprobe", Package: "kmod"},
}

const (
	cniPlugins = "/usr/lib/cni"
	// execResolver is the resolver of commands that are run by Exec.
	execResolver = "exec-resolv.conf"
)

var (
	//go:embed config/containerd.toml
	containerdConfig string
	//go:embed config/cni.conflist
	cniConfig string
	//go:embed config/kubelet.yaml
	kubeletConfig string
	//go:embed config/kube-proxy.yaml
	kubeProxyConfig string
)

// settings are what the files in config may name.
type settings struct {
	Run, Group, Node, NodeIP, DNS, Pods string
	CNIPlugins, PauseImage              string
}

func (c *Cluster) settings() settings {
	return settings{
		Run: c.Run, Group: Name, Node: nodeName, NodeIP: nodeIP, DNS: dnsIP, Pods: podCIDR,
		CNIPlugins: cniPlugins, PauseImage: build.PauseImage,
	}
}

func render(text string, data any) ([]byte, error) {
	t, err := template.New("").Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, data)
	return out.Bytes(), err
}

// writeConfig writes the settings of the node's daemons into the run folder.
func (c *Cluster) writeConfig() error {
	for name, text := range map[string]string{
		"containerd.toml":    containerdConfig,
		"cni/serin.conflist": cniConfig,
		"kubelet.yaml":       kubeletConfig,
		"kube-proxy.yaml":    kubeProxyConfig,
		// The resolver of pods that want the node's: the node has none.
		"resolv.conf": "# no resolver\n",
		execResolver:  "nameserver {{.DNS}}\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n",
	} {
		content, err := render(text, c.settings())
		if err != nil {
			return fmt.Errorf("settings %s: %w", name, err)
		}
		if err := os.WriteFile(c.path(name), content, 0o600); err != nil {
			return err
		}
	}
	//nolint:gosec // read by whatever user a command in the cluster's network becomes
	return os.Chmod(c.path(execResolver), 0o644)
}

func (c *Cluster) startContainerd(ctx context.Context) error {
	if err := c.start("containerd", "containerd", "--config", c.path("containerd.toml")); err != nil {
		return err
	}
	return c.wait(ctx, "containerd is ready", func(ctx context.Context) bool {
		_, err := c.ctr(ctx, "version")
		return err == nil
	})
}

func (c *Cluster) ctr(ctx context.Context, args ...string) ([]byte, error) {
	ctr := []string{"ctr", "--address", c.path("containerd.sock"), "--namespace", "k8s.io"}
	return command.Run(ctx, command.Cmd{Args: append(ctr, args...)})
}

// importImages adds archives to the node. The kubelet sees them at once.
func (c *Cluster) importImages(ctx context.Context, archives []string) error {
	for _, file := range archives {
		if _, err := c.ctr(ctx, "images", "import", file); err != nil {
			return fmt.Errorf("import %s: %w", file, err)
		}
	}
	return nil
}
