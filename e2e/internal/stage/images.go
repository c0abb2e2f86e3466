package stage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/serin-dev/serin/deploy/image/archive"
	"github.com/serin-dev/serin/e2e/cluster/command"
)

// The images that are built from this repository.
const (
	operatorImage   = "serin"
	loadtesterImage = "loadtester"
	gatewayImage    = "e2e-gateway"
	toolsImage      = "e2e-tools"
)

// loadImages builds the images and brings them to the cluster.
func (s *Stage) loadImages(ctx context.Context) error {
	arch, err := s.architecture(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.archive("any")), 0o755); err != nil { //nolint:gosec // images are no secret
		return err
	}
	s.steps.Step("building the images of the operator, the load tester, the gateway and the tools")
	for _, image := range []struct{ name, module, program string }{
		{operatorImage, ".", "./deploy/image"},
		{loadtesterImage, ".", "./deploy/image/loadtester"},
		{gatewayImage, "e2e", "./gateway/image"},
	} {
		_, err := s.goRun(ctx, image.module, image.program, "-arch", arch, "-tag", s.Image(image.name), "-o", s.archive(image.name))
		if err != nil {
			return fmt.Errorf("build image %s: %w", image.name, err)
		}
	}
	if err := s.buildTools(ctx, arch); err != nil {
		return fmt.Errorf("build image %s: %w", toolsImage, err)
	}
	for _, name := range []string{operatorImage, loadtesterImage, gatewayImage, toolsImage} {
		if err := s.loadImage(ctx, name); err != nil {
			return fmt.Errorf("bring image %s to the cluster: %w", name, err)
		}
	}
	s.steps.Step("images are on the cluster")
	return nil
}

func (s *Stage) archive(name string) string { return s.cache.Image("stage-" + name) }

// architecture of the cluster's nodes, which need not be this machine's.
func (s *Stage) architecture(ctx context.Context) (string, error) {
	var nodes corev1.NodeList
	if err := s.Client.List(ctx, &nodes); err != nil {
		return "", fmt.Errorf("look at the nodes: %w", err)
	}
	arch := ""
	for _, n := range nodes.Items {
		if arch != "" && arch != n.Status.NodeInfo.Architecture {
			return "", fmt.Errorf("the cluster has nodes of %s and of %s: the images are for one of them", arch, n.Status.NodeInfo.Architecture)
		}
		arch = n.Status.NodeInfo.Architecture
	}
	if arch == "" {
		return "", fmt.Errorf("the cluster has no nodes")
	}
	return arch, nil
}

func (s *Stage) loadImage(ctx context.Context, name string) error {
	if !s.Existing {
		_, err := s.goRun(ctx, "e2e", "./cluster", "load", s.archive(name))
		return err
	}
	line := strings.NewReplacer("{tar}", s.archive(name), "{image}", s.Image(name)).Replace(s.ImageLoad)
	_, err := command.Run(ctx, command.Cmd{Dir: s.root, Env: s.environment(), Args: []string{"sh", "-c", line}})
	return err
}

// buildTools makes one image of the load generator and the Slack receiver.
func (s *Stage) buildTools(ctx context.Context, arch string) error {
	dir, err := os.MkdirTemp("", "serin-tools-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	img := archive.Image{Tags: []string{s.Image(toolsImage)}, Arch: arch, User: "65532:65532"}
	for _, name := range []string{"load", "slackd"} {
		binary := filepath.Join(dir, name)
		_, err := command.Run(ctx, command.Cmd{
			Dir: s.Path("e2e"), Env: []string{"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + arch},
			Args: []string{"go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "./" + name},
		})
		if err != nil {
			return err
		}
		img.Files = append(img.Files, archive.File{Path: "/" + name, From: binary, Mode: 0o755})
	}
	return archive.Save(s.archive(toolsImage), []archive.Image{img})
}

// digest of an image's archive: pods that carry it are replaced when the image was built anew under
// the same tag, and only then.
func (s *Stage) digest(name string) (string, error) {
	f, err := os.Open(s.archive(name))
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}
