package stage

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/serin-dev/serin/e2e/cluster/build"
	"github.com/serin-dev/serin/e2e/cluster/command"
	"github.com/serin-dev/serin/e2e/traefik"
)

// The Gateway API's implementation: its namespace, which is also its Service's name, and its Gateway.
const (
	Traefik        = "traefik"
	TraefikGateway = "public"
)

// InstallTraefik installs the CRDs of the Gateway API and Traefik, on the local cluster. Only scenes
// that are about them need it.
func (s *Stage) InstallTraefik(ctx context.Context) error {
	if err := s.installGatewayAPI(ctx); err != nil {
		return fmt.Errorf("install the CRDs of the Gateway API: %w", err)
	}
	b, err := build.New(ctx, s.cache, s.steps)
	if err != nil {
		return err
	}
	image, err := b.Traefik(ctx)
	if err != nil {
		return err
	}
	if _, err := s.goRun(ctx, "e2e", "./cluster", "load", image); err != nil {
		return fmt.Errorf("bring Traefik's image to the cluster: %w", err)
	}
	if err := s.apply(ctx, traefik.Manifest); err != nil {
		return fmt.Errorf("install Traefik: %w", err)
	}
	if err := s.RolledOut(ctx, Traefik, Traefik); err != nil {
		return err
	}
	err = s.kubectl(ctx, "-n", Traefik, "wait", "--for=condition=Programmed", "gateway/"+TraefikGateway, "--timeout=1m")
	if err != nil {
		return fmt.Errorf("Traefik takes up its Gateway: %w\n%s", err, s.podsOf(ctx, Traefik))
	}
	s.steps.Step("Traefik %s is up in namespace %s", build.TraefikVersion, Traefik)
	return nil
}

// installGatewayAPI takes the CRDs from the module that Serin's types are of.
func (s *Stage) installGatewayAPI(ctx context.Context) error {
	out, err := command.Run(ctx, command.Cmd{Dir: s.root, Args: []string{"go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api"}})
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "config", "crd", "standard", "gateway.networking.k8s.io_*s.yaml"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no CRDs in module sigs.k8s.io/gateway-api: go mod download it: %w", err)
	}
	args := []string{"apply", "--server-side", "--force-conflicts"}
	for _, file := range files {
		if !strings.HasSuffix(file, "_vap_safeupgrades.yaml") {
			args = append(args, "-f", file)
		}
	}
	if err := s.kubectl(ctx, args...); err != nil {
		return err
	}
	return s.kubectl(ctx, "wait", "--for=condition=Established", "crd/httproutes.gateway.networking.k8s.io", "crd/gateways.gateway.networking.k8s.io", "--timeout=30s")
}
