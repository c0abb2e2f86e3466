// Command image builds the container image of the gateway's control plane
// without a container engine. Run it inside the e2e module.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"

	"github.com/serin-dev/serin/deploy/image/archive"
)

const program = "github.com/serin-dev/serin/e2e/gateway"

func main() {
	log.SetFlags(0)
	out := flag.String("o", "gateway.tar", "`file` to write the image archive to")
	tag := flag.String("tag", "serin.dev/e2e-gateway:dev", "`reference` of the image")
	arch := flag.String("arch", runtime.GOARCH, "`architecture` of the image")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := build(ctx, *out, *tag, *arch); err != nil {
		log.Fatalf("image %s: %v", *tag, err) //nolint:gocritic // exitAfterDefer: nothing is left to undo
	}
}

func build(ctx context.Context, out, tag, arch string) error {
	dir, err := os.MkdirTemp("", "gateway-image")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "gateway")
	if err := compile(ctx, binary, arch); err != nil {
		return err
	}
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	img := archive.Image{
		Tags:       []string{tag},
		Arch:       arch,
		Entrypoint: []string{"/gateway"},
		User:       "65532:65532",
		Files:      []archive.File{{Path: "/gateway", From: binary, Mode: 0o755}},
	}
	if err := errors.Join(archive.Write(f, img), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", out, err)
	}
	return nil
}

func compile(ctx context.Context, binary, arch string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, program)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("compile %s: %w", program, err)
	}
	return nil
}
