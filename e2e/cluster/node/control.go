package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"github.com/serin-dev/serin/e2e/cluster/pki"
)

const etcdURL = "http://127.0.0.1:2379"

func (c *Cluster) createCertificates() error {
	err := pki.Write(c.path("pki"), pki.Cluster{Server: c.server(), Hosts: []string{apiIP}, Node: nodeName, NodeIP: nodeIP})
	if err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	if err := os.Link(c.pki("admin.kubeconfig"), c.Kubeconfig()); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("kubeconfig: %w", err)
	}
	return nil
}

// startAPI starts etcd and the API server, which waits for etcd by itself.
func (c *Cluster) startAPI() error {
	if err := c.start("etcd", c.etcd()...); err != nil {
		return err
	}
	return c.start("kube-apiserver", c.apiServer()...)
}

// startControllers must wait for the API server: the controller manager exits if
// its roles are not there yet.
func (c *Cluster) startControllers(ctx context.Context, api *api) error {
	if err := c.wait(ctx, fmt.Sprintf("kube-apiserver is ready on %s", c.server()), api.ready); err != nil {
		return err
	}
	if err := c.start("kube-controller-manager", c.controllerManager()...); err != nil {
		return err
	}
	return c.start("kube-scheduler", c.scheduler()...)
}

// etcd does not flush to disk: the cluster does not survive the machine anyway.
func (c *Cluster) etcd() []string {
	return []string{
		c.Kube, "etcd", "--name=" + nodeName, "--data-dir=" + c.path("etcd"), "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls=" + etcdURL, "--advertise-client-urls=" + etcdURL, "--listen-peer-urls=http://127.0.0.1:2380",
	}
}

func (c *Cluster) apiServer() []string {
	return []string{
		c.Kube, "kube-apiserver", "--etcd-servers=" + etcdURL,
		"--secure-port=" + strconv.Itoa(c.Port), "--advertise-address=" + nodeIP,
		"--service-cluster-ip-range=" + serviceCIDR,
		"--authorization-mode=Node,RBAC", "--allow-privileged=true", "--profiling=false",
		"--client-ca-file=" + c.pki("ca.crt"),
		"--tls-cert-file=" + c.pki("apiserver.crt"), "--tls-private-key-file=" + c.pki("apiserver.key"),
		"--kubelet-client-certificate=" + c.pki("apiserver-kubelet-client.crt"),
		"--kubelet-client-key=" + c.pki("apiserver-kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + c.pki("sa.pub"), "--service-account-signing-key-file=" + c.pki("sa.key"),
		// The aggregation layer, through which metrics-server is reached.
		"--requestheader-client-ca-file=" + c.pki("front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + c.pki("front-proxy-client.crt"),
		"--proxy-client-key-file=" + c.pki("front-proxy-client.key"),
	}
}

func (c *Cluster) controllerManager() []string {
	return append(c.controller("kube-controller-manager", "controller-manager"),
		"--use-service-account-credentials=true",
		"--service-account-private-key-file="+c.pki("sa.key"), "--root-ca-file="+c.pki("ca.crt"),
		"--cluster-signing-cert-file="+c.pki("ca.crt"), "--cluster-signing-key-file="+c.pki("ca.key"),
		"--service-cluster-ip-range="+serviceCIDR,
		"--flex-volume-plugin-dir="+c.path("volume-plugins"),
		// The one node gets its pod addresses from the CNI settings.
		"--controllers=*,-nodeipam",
		// An autoscaler that acts while somebody watches: by default it looks every
		// 15 s and disregards the CPU use of a pod's first five minutes.
		"--horizontal-pod-autoscaler-sync-period=5s",
		"--horizontal-pod-autoscaler-cpu-initialization-period=15s",
		"--horizontal-pod-autoscaler-initial-readiness-delay=5s",
	)
}

func (c *Cluster) scheduler() []string { return c.controller("kube-scheduler", "scheduler") }

// controller has the flags of both. There is only one of each, so they need no
// leader and no modesty towards the API.
func (c *Cluster) controller(program, user string) []string {
	kubeconfig := c.pki(user + ".kubeconfig")
	return []string{
		c.Kube, program, "--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=127.0.0.1", "--leader-elect=false", "--kube-api-qps=500", "--kube-api-burst=1000",
	}
}
