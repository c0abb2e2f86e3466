// Program image builds a container image of one Go program without a container
// engine: a static binary, certificate authorities and a user, nothing else. The
// archive loads with `docker load`, `ctr images import` and skopeo, and its bytes
// depend on the sources, the version and the release of Go only. Beside it goes the
// list of its parts, as name.cdx.json.
//
//	go run ./deploy/image -o dist/serin.tar -tag serin.dev/serin:dev
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/serin-dev/serin/deploy/image/archive"
	"github.com/serin-dev/serin/deploy/image/parts"
	"github.com/serin-dev/serin/deploy/image/sbom"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1) //nolint:gocritic // exitAfterDefer: nothing is left to undo
	}
}

type options struct {
	program parts.Program
	out     string
	arches  []string
	tags    []string
	user    string
}

func run(ctx context.Context, args []string, stderr io.Writer) error {
	opts, err := parse(args, stderr)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "serin-image-")
	if err != nil {
		return fmt.Errorf("make build directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var imgs []archive.Image
	programs := map[string]string{}
	for _, arch := range opts.arches {
		programs[arch] = filepath.Join(dir, arch)
		img, err := opts.image(ctx, arch, programs[arch])
		if err != nil {
			return err
		}
		imgs = append(imgs, img)
	}
	if err := archive.Save(opts.out, imgs); err != nil {
		return err
	}
	return opts.list(programs)
}

// list writes what the image is made of.
func (o options) list(programs map[string]string) error {
	roots, err := parts.RootsModule()
	if err != nil {
		return err
	}
	out, err := os.Create(strings.TrimSuffix(o.out, ".tar") + ".cdx.json")
	if err != nil {
		return err
	}
	return errors.Join(sbom.Write(out, sbom.Image{
		Name: path.Base(o.program.Package), Version: o.program.Version, Programs: programs, Modules: []*debug.Module{roots},
	}), out.Close())
}

func parse(args []string, stderr io.Writer) (options, error) {
	var opts options
	var arches string
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&opts.program.Package, "package", "./cmd/serin", "main package to build")
	flags.StringVar(&opts.program.Version, "version", "dev", "version that the program says")
	flags.StringVar(&opts.out, "o", "dist/serin.tar", "archive to write")
	flags.StringVar(&arches, "arch", "amd64,arm64", "architectures, separated by commas")
	flags.StringVar(&opts.user, "user", "65532:65532", "user and group that the program runs as")
	flags.Func("tag", "reference of the image, as registry/name:tag; repeatable", func(tag string) error {
		opts.tags = append(opts.tags, tag)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if len(opts.tags) == 0 {
		return options{}, fmt.Errorf("no -tag given, for example -tag serin.dev/%s:dev", path.Base(opts.program.Package))
	}
	opts.arches = strings.Split(arches, ",")
	return opts, nil
}

func (o options) image(ctx context.Context, arch, binary string) (archive.Image, error) {
	if err := o.program.Build(ctx, arch, binary); err != nil {
		return archive.Image{}, err
	}
	roots, err := parts.Roots()
	if err != nil {
		return archive.Image{}, err
	}
	entrypoint := "/" + path.Base(o.program.Package)
	return archive.Image{
		Tags: o.tags, Arch: arch, User: o.user, WorkDir: "/", Entrypoint: []string{entrypoint},
		Files: []archive.File{{Path: entrypoint, From: binary, Mode: 0o755}, roots},
	}, nil
}
