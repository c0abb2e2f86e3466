package stage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// takeCluster starts the local cluster unless it is up, or takes the one that exists.
func (s *Stage) takeCluster(ctx context.Context) error {
	if s.Existing {
		s.Kubeconfig = os.Getenv("KUBECONFIG")
		kubectl, err := exec.LookPath("kubectl")
		s.Kubectl = kubectl
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("the local cluster needs root: it makes namespaces, mounts and control groups. Run this as root, or with CLUSTER=existing on a cluster of yours")
	}
	_, err := s.goRun(ctx, "e2e", "./cluster", "env")
	s.startedCluster = err != nil
	if err := s.attached(ctx, s.Path("e2e"), "go", "run", "./cluster", "up"); err != nil {
		return fmt.Errorf("start the local cluster: %w", err)
	}
	s.Kubeconfig = filepath.Join(s.cache.Run(), "kubeconfig")
	s.Kubectl = filepath.Join(s.cache.Assets(), "kubectl")
	return nil
}

// scopeLabel is on the Lease of every Serin.
const scopeLabel = "serin.dev/scope"

// checkForeign refuses to work beside a Serin that somebody else installed: both would act on the same
// canaries, or the other would refuse to go on.
func (s *Stage) checkForeign(ctx context.Context) error {
	var leases coordinationv1.LeaseList
	if err := s.Client.List(ctx, &leases, client.HasLabels{scopeLabel}); err != nil {
		return fmt.Errorf("look for a Serin in the cluster: %w", err)
	}
	for _, lease := range leases.Items {
		if lease.Namespace != s.Operator {
			return fmt.Errorf("a Serin is installed in namespace %s (Lease %s): this would work beside it, or stop it. Use a cluster without it", lease.Namespace, lease.Name)
		}
	}
	return nil
}

// Strike takes down what Set has set up, unless it is to be kept. A local cluster that was up before
// stays up.
func (s *Stage) Strike(ctx context.Context) error {
	switch {
	case s.Keep || s.root == "":
		return nil
	case s.Existing:
		return s.leave(ctx)
	case s.startedCluster:
		return s.attached(ctx, s.Path("e2e"), "go", "run", "./cluster", "down")
	}
	s.steps.Step("the cluster was up before and stays up")
	return nil
}

// leave removes from somebody's cluster what was put there. CRDs stay: whatever else of their kinds is
// in the cluster would go with them.
func (s *Stage) leave(ctx context.Context) error {
	if s.Client == nil {
		return nil
	}
	// The application first: the operator lets go of it.
	err := s.remove(ctx, s.App)
	_, helmErr := s.helm(ctx, "uninstall", s.Release, "--namespace", s.Operator, "--ignore-not-found", "--wait")
	err = errors.Join(err, helmErr,
		s.kubectl(ctx, "delete", "namespace", s.Operator, s.Gateway, s.Tools, "--ignore-not-found", "--timeout=2m"),
		s.kubectl(ctx, "delete", "clusterrole,clusterrolebinding", s.clusterRole(), "--ignore-not-found"))
	s.steps.Step("removed namespaces %s, %s, %s and %s; the CRDs stay", s.App, s.Operator, s.Gateway, s.Tools)
	return err
}
