// Program loadtester builds the image of the load tester without a container
// engine: cmd/loadtester, and from Debian's packages the programs that tests are
// written with. It needs apt and dpkg-deb, and installs nothing: packages are
// kept under the user's cache directory.
//
//	go run ./deploy/image/loadtester -o dist/loadtester.tar -tag serin.dev/loadtester:dev
//
// The versions are those that the host's package sources offer; the image lists
// them in /usr/share/doc/packages. With the same packages its bytes are the same.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/serin-dev/serin/deploy/image/archive"
	"github.com/serin-dev/serin/deploy/image/parts"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "loadtester image:", err)
		os.Exit(1) //nolint:gocritic // exitAfterDefer: nothing is left to undo
	}
}

type options struct {
	program parts.Program
	out     string
	cache   string
	refresh bool
	arches  []string
	tags    []string
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
	for _, arch := range opts.arches {
		img, err := opts.image(ctx, arch, filepath.Join(dir, arch))
		if err != nil {
			return err
		}
		imgs = append(imgs, img)
	}
	return archive.Save(opts.out, imgs)
}

func parse(args []string, stderr io.Writer) (options, error) {
	var opts options
	var arches string
	opts.program.Package = "./cmd/loadtester"
	cache, err := os.UserCacheDir()
	if err != nil {
		return options{}, fmt.Errorf("find cache directory: %w", err)
	}
	flags := flag.NewFlagSet("loadtester image", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&opts.program.Version, "version", "dev", "version that the program says")
	flags.StringVar(&opts.out, "o", "dist/loadtester.tar", "archive to write")
	flags.StringVar(&opts.cache, "cache", filepath.Join(cache, "serin", "loadtester"), "directory that keeps the packages")
	flags.BoolVar(&opts.refresh, "refresh", false, "look for newer packages (default: take the kept ones)")
	flags.StringVar(&arches, "arch", "amd64,arm64", "architectures, separated by commas")
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
		return options{}, errors.New("no -tag given, for example -tag serin.dev/loadtester:dev")
	}
	opts.arches = strings.Split(arches, ",")
	return opts, nil
}
