// Package bare is Kubernetes without nodes, and the operator's own binary on it: what its speed, its
// cost and its upgrades are measured with. etcd, kube-apiserver and the operator are real. Pods are
// not: a stand-in makes them (pkg/apitest/standin); nor is Prometheus: a stub answers every query with
// success; nor a gateway: Gloo's kinds are there and nobody reads them.
package bare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/serin-dev/serin/pkg/apitest/standin"
)

// Server is etcd and kube-apiserver with an audit log, and what makes pods of Deployments.
type Server struct {
	// Config is an administrator's, without a limit of its own.
	Config *rest.Config
	// Kubeconfig is the path of the operator's.
	Kubeconfig string
	// Etcd is the address of etcd, which asks nobody who they are.
	Etcd string

	env      *envtest.Environment
	audit    string
	cancel   context.CancelFunc
	standsIn chan error
}

// policy logs what the operator asked for, as a user or by its ServiceAccount, without contents, once per
// request that was answered.
const policy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules: [{level: Metadata, users: [serin]}, {level: Metadata, userGroups: ["system:serviceaccounts"]}, {level: None}]
`

// Start starts one with Serin's CRDs and Gloo's kinds from a checkout of the source. What it writes is
// in dir, which has to outlive it. userAgent is that of Config's requests.
func Start(dir, source, userAgent string) (*Server, error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return nil, errors.New("KUBEBUILDER_ASSETS is not set: it names the directory with etcd and kube-apiserver; make sets it")
	}
	s := &Server{audit: filepath.Join(dir, "audit.log"), Kubeconfig: filepath.Join(dir, "kubeconfig")}
	policyFile := filepath.Join(dir, "policy.yaml")
	if err := os.WriteFile(policyFile, []byte(policy), 0o600); err != nil {
		return nil, err
	}
	s.env = &envtest.Environment{
		CRDDirectoryPaths:        []string{filepath.Join(source, "deploy", "crds"), filepath.Join(source, "router", "gloo", "testdata", "crds")},
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: 2 * time.Minute,
		ControlPlaneStopTimeout:  time.Minute,
	}
	s.env.ControlPlane.GetAPIServer().Configure().
		Set("audit-policy-file", policyFile).Set("audit-log-path", s.audit).Set("audit-log-format", "json").
		Set("audit-log-maxsize", "10000").             // MiB: none is put aside
		Set("service-cluster-ip-range", "10.0.0.0/16") // three Services for each of many thousand canaries
	s.env.ControlPlane.Etcd = &envtest.Etcd{}
	s.env.ControlPlane.Etcd.Configure().Set("quota-backend-bytes", "8589934592") // 8 GiB: many thousand canaries
	config, err := s.env.Start()
	if err != nil {
		return nil, fmt.Errorf("start the API server: %w", err)
	}
	s.Etcd = s.env.ControlPlane.Etcd.URL.String()
	s.Config = rest.CopyConfig(config)
	s.Config.UserAgent, s.Config.QPS = userAgent, -1
	if err := s.writeKubeconfig(); err != nil {
		return nil, errors.Join(err, s.env.Stop())
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.standsIn = cancel, make(chan error, 1)
	go func() {
		s.standsIn <- standin.Run(ctx, s.Config, standin.Options{Startup: 200 * time.Millisecond, Workers: 8})
	}()
	return s, nil
}

// writeKubeconfig makes the operator an administrator of its own: what it may do is tested elsewhere.
func (s *Server) writeKubeconfig() error {
	user, err := s.env.AddUser(envtest.User{Name: "serin", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return fmt.Errorf("make a user for the operator: %w", err)
	}
	content, err := user.KubeConfig()
	if err != nil {
		return fmt.Errorf("make a kubeconfig for the operator: %w", err)
	}
	return os.WriteFile(s.Kubeconfig, content, 0o600)
}

// Stop ends it. Whoever watches it has to have ended: the server waits for them.
func (s *Server) Stop() error {
	s.cancel()
	return errors.Join(<-s.standsIn, s.env.Stop())
}
