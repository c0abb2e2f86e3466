package stage

import (
	"context"
	"fmt"
	"io/fs"
	"strings"

	"github.com/serin-dev/serin/e2e/gateway/crds"
	"github.com/serin-dev/serin/e2e/gateway/manifests"
)

// digestAnnotation on a pod template is the digest of its image's archive.
const digestAnnotation = "serin.dev/image-digest"

// installGateway installs the CRDs, the control plane and Envoy.
func (s *Stage) installGateway(ctx context.Context) error {
	if err := s.installGatewayCRDs(ctx); err != nil {
		return fmt.Errorf("install the gateway's CRDs: %w", err)
	}
	manifest, err := s.gatewayManifest()
	if err != nil {
		return err
	}
	if err := s.apply(ctx, manifest); err != nil {
		return fmt.Errorf("install the gateway: %w", err)
	}
	for _, name := range []string{"gloo", "gateway-proxy"} {
		if err := s.RolledOut(ctx, s.Gateway, name); err != nil {
			return err
		}
	}
	s.steps.Step("gateway is up in namespace %s: Envoy, and a stand-in for Gloo's control plane", s.Gateway)
	return s.kubectl(ctx, "-n", s.Gateway, "delete", "configmap", "gateway-faults", "--ignore-not-found")
}

// installGatewayCRDs leaves those alone that are there: they may be Gloo's own.
func (s *Stage) installGatewayCRDs(ctx context.Context) error {
	have, err := s.KubectlOutput(ctx, "get", "crds", "-o", "name")
	if err != nil {
		return err
	}
	for _, crd := range []string{"virtualservices.gateway.solo.io", "routetables.gateway.solo.io", "upstreams.gloo.solo.io"} {
		if strings.Contains(have, "/"+crd+"\n") {
			continue
		}
		name, _, _ := strings.Cut(crd, ".")
		text, err := crds.FS.ReadFile(name + ".yaml")
		if err != nil {
			return err
		}
		if err := s.apply(ctx, string(text), "--server-side"); err != nil {
			return err
		}
		if err := s.kubectl(ctx, "wait", "--for=condition=Established", "crd/"+crd, "--timeout=30s"); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stage) gatewayManifest() (string, error) {
	digest, err := s.digest(gatewayImage)
	if err != nil {
		return "", err
	}
	files, err := fs.Glob(manifests.FS, "*.yaml")
	if err != nil {
		return "", err
	}
	var all strings.Builder
	for _, file := range files {
		text, err := fs.ReadFile(manifests.FS, file)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&all, "---\n%s\n", text)
	}
	return gatewaySettings(s.rename(all.String()), s.Image(gatewayImage), digest, s.Gateway), nil
}

// gatewaySettings tells the control plane's Deployment its image and its namespace.
func gatewaySettings(manifest, image, digest, namespace string) string {
	return strings.NewReplacer(
		"        image: serin.dev/e2e-gateway:dev\n",
		fmt.Sprintf("        image: %s\n        args: [-namespace=%s]\n", image, namespace),
		"      labels: {gloo: gloo}\n    spec:",
		fmt.Sprintf("      labels: {gloo: gloo}\n      annotations: {%s: %q}\n    spec:", digestAnnotation, digest),
	).Replace(manifest)
}
