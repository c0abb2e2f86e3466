package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// server is etcd and kube-apiserver with an audit log.
type server struct {
	env        *envtest.Environment
	config     *rest.Config
	kubeconfig string
	audit      string
}

// policy logs who asked for what, without contents, once per request that was answered.
const policy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules: [{level: Metadata}]
`

func startServer(dir string) (*server, error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return nil, fmt.Errorf("KUBEBUILDER_ASSETS is not set: it names the directory with etcd and kube-apiserver; `make bench` sets it")
	}
	s := &server{audit: filepath.Join(dir, "audit.log"), kubeconfig: filepath.Join(dir, "kubeconfig")}
	policyFile := filepath.Join(dir, "policy.yaml")
	if err := os.WriteFile(policyFile, []byte(policy), 0o600); err != nil {
		return nil, err
	}
	s.env = &envtest.Environment{
		CRDDirectoryPaths:        []string{"../deploy/crds", "../router/gloo/testdata/crds"},
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: 2 * time.Minute,
		ControlPlaneStopTimeout:  time.Minute,
	}
	s.env.ControlPlane.GetAPIServer().Configure().
		Set("audit-policy-file", policyFile).Set("audit-log-path", s.audit).Set("audit-log-format", "json")
	config, err := s.env.Start()
	if err != nil {
		return nil, fmt.Errorf("start the API server: %w", err)
	}
	s.config = rest.CopyConfig(config)
	s.config.UserAgent, s.config.QPS = "bench", -1
	return s, s.writeKubeconfig()
}

// writeKubeconfig makes the operator an administrator of its own: what it may do is measured elsewhere.
func (s *server) writeKubeconfig() error {
	user, err := s.env.AddUser(envtest.User{Name: "serin", Groups: []string{"system:masters"}}, nil)
	if err != nil {
		return fmt.Errorf("make a user for the operator: %w", err)
	}
	content, err := user.KubeConfig()
	if err != nil {
		return fmt.Errorf("make a kubeconfig for the operator: %w", err)
	}
	return os.WriteFile(s.kubeconfig, content, 0o600)
}

func (s *server) stop() error { return s.env.Stop() }
