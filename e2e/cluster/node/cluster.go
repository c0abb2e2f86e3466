// Package node is the one node of the cluster and its control plane, as
// processes of this machine.
//
// Everything lives in a network namespace without any link to the outside, in a
// mount namespace that hides the few fixed paths of the machine that the kubelet
// and containerd insist on, and in control groups of its own. The latter are how
// all of it is found again: a process is put into its group before it becomes
// what it is to be, and its children inherit it, so removing the cluster needs no
// list that a crash could have left unwritten.
package node

import (
	"fmt"
	"path/filepath"
	"sync"
)

const (
	// Name is the name of the network namespace and of the control groups.
	Name = "serin"
	// DefaultPort is where the API is served, on the host and in the namespace:
	// one kubeconfig is good for both.
	DefaultPort = 16443

	nodeName    = "node-1"
	nodeIP      = "10.89.0.2"
	serviceCIDR = "10.96.0.0/16"
	apiIP       = "10.96.0.1"
	dnsIP       = "10.96.0.10"
	podCIDR     = "10.244.0.0/22"
)

// Steps is told what happens.
type Steps interface {
	Step(format string, args ...any)
}

// Config is what a Cluster is made from.
type Config struct {
	// Run is the folder for its state; it is removed with the cluster.
	Run string
	// Kube is the binary with all Kubernetes programs.
	Kube string
	// Path is prepended to the PATH of commands run in the cluster.
	Path []string
	Port int
}

// Cluster is the cluster of this machine, whether it is up or not.
type Cluster struct {
	Config
	steps Steps

	holder int // process whose mount namespace the others join

	mu        sync.Mutex
	processes []*process
}

// New returns the cluster without touching anything.
func New(config Config, steps Steps) *Cluster {
	return &Cluster{Config: config, steps: steps}
}

// Kubeconfig is the file with which an administrator reaches the API.
func (c *Cluster) Kubeconfig() string { return c.path("kubeconfig") }

func (c *Cluster) path(parts ...string) string {
	return filepath.Join(append([]string{c.Run}, parts...)...)
}

func (c *Cluster) pki(name string) string { return c.path("pki", name) }

func (c *Cluster) server() string { return fmt.Sprintf("https://127.0.0.1:%d", c.Port) }

// longestSocket is the longest path of a Unix socket below the run folder.
const longestSocket = "kubelet/pod-resources/kubelet.sock"

// checkPath refuses a folder whose sockets the kernel could not name.
func (c *Cluster) checkPath() error {
	const limit = 107 // sun_path without its final zero
	if socket := c.path(longestSocket); len(socket) > limit {
		return fmt.Errorf("the path %s is longer than the %d bytes a Unix socket may have: set XDG_CACHE_HOME to a shorter folder", socket, limit)
	}
	return nil
}
