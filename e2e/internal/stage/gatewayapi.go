package stage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/serin-dev/serin/e2e/cluster/build"
	"github.com/serin-dev/serin/e2e/cluster/command"
	"github.com/serin-dev/serin/e2e/gatewayapi"
)

// Implementations of the Gateway API are installed by those scenes that are about them, on the local
// cluster. Each has a Gateway of this name in its namespace.
const publicGateway = "public"

// InstallTraefik installs Traefik in the namespace traefik.
func (s *Stage) InstallTraefik(ctx context.Context) error {
	b, err := build.New(ctx, s.cache, s.steps)
	if err != nil {
		return err
	}
	image, err := b.Traefik(ctx)
	if err != nil {
		return err
	}
	err = s.installImplementation(ctx, image, gatewayapi.Traefik, "traefik", "traefik")
	if err == nil {
		s.steps.Step("Traefik %s is up in namespace traefik", build.TraefikVersion)
	}
	return err
}

// InstallContour installs Contour and its Envoy in the namespace projectcontour.
func (s *Stage) InstallContour(ctx context.Context) error {
	b, err := build.New(ctx, s.cache, s.steps)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "serin-contour-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	image, crds, err := b.Contour(ctx, scratch)
	if err != nil {
		return err
	}
	if err := s.applyCRDs(ctx, crds); err != nil {
		return fmt.Errorf("install Contour's CRDs: %w", err)
	}
	err = s.installImplementation(ctx, image, gatewayapi.Contour, "projectcontour", "contour", "envoy")
	if err == nil {
		s.steps.Step("Contour %s is up in namespace projectcontour", build.ContourVersion)
	}
	return err
}

func (s *Stage) installImplementation(ctx context.Context, image, manifest, namespace string, deployments ...string) error {
	if err := s.installGatewayAPI(ctx); err != nil {
		return fmt.Errorf("install the CRDs of the Gateway API: %w", err)
	}
	if _, err := s.goRun(ctx, "e2e", "./cluster", "load", image); err != nil {
		return fmt.Errorf("bring %s to the cluster: %w", filepath.Base(image), err)
	}
	if err := s.apply(ctx, manifest); err != nil {
		return fmt.Errorf("install what is in namespace %s: %w", namespace, err)
	}
	for _, name := range deployments {
		if err := s.RolledOut(ctx, namespace, name); err != nil {
			return err
		}
	}
	err := s.kubectl(ctx, "-n", namespace, "wait", "--for=condition=Accepted", "gateway/"+publicGateway, "--timeout=1m")
	if err != nil {
		return fmt.Errorf("%w\n%s", err, s.podsOf(ctx, namespace))
	}
	return nil
}

// installGatewayAPI takes the CRDs from the module that Serin's types are of.
func (s *Stage) installGatewayAPI(ctx context.Context) error {
	out, err := command.Run(ctx, command.Cmd{Dir: s.root, Args: []string{"go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api"}})
	if err != nil {
		return err
	}
	// Besides the CRDs the folder has a policy that forbids other versions of them.
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "config", "crd", "standard", "gateway.networking.k8s.io_*.yaml"))
	if err != nil {
		return err
	}
	var crds []string
	for _, file := range files {
		if !strings.Contains(filepath.Base(file), "_vap_") {
			crds = append(crds, file)
		}
	}
	if len(crds) == 0 {
		return fmt.Errorf("module sigs.k8s.io/gateway-api has none: go mod download it")
	}
	return s.applyCRDs(ctx, crds...)
}

// applyCRDs leaves the bookkeeping to the server: some are too large for an annotation.
func (s *Stage) applyCRDs(ctx context.Context, files ...string) error {
	args := []string{"--filename=" + strings.Join(files, ",")}
	if err := s.kubectl(ctx, append([]string{"apply", "--server-side", "--force-conflicts"}, args...)...); err != nil {
		return err
	}
	return s.kubectl(ctx, append([]string{"wait", "--for=condition=Established", "--timeout=30s"}, args...)...)
}
