package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/serin-dev/serin/e2e/cluster/build"
	"github.com/serin-dev/serin/e2e/cluster/node"
)

// assetNames are the programs that envtest looks for in KUBEBUILDER_ASSETS.
var assetNames = []string{"etcd", "kube-apiserver", "kubectl"}

func (a app) kubectl() string { return filepath.Join(a.cache.Assets(), "kubectl") }

// assets builds no more than API tests need, and prints where it is.
func (a app) assets(ctx context.Context) error {
	b, err := build.New(ctx, a.cache, a.steps)
	if err != nil {
		return err
	}
	if err := errors.Join(b.Kube(ctx), a.linkAssets()); err != nil {
		return err
	}
	fmt.Println(a.cache.Assets())
	return nil
}

// buildAll builds everything and returns the images for the node.
func (a app) buildAll(ctx context.Context) (images node.Images, err error) {
	b, err := build.New(ctx, a.cache, a.steps)
	if err != nil {
		return images, err
	}
	if err := errors.Join(b.All(ctx), a.linkAssets()); err != nil {
		return images, err
	}
	images.System, images.Others, err = b.Images()
	return images, err
}

// linkAssets gives the binary that holds all programs the names of some.
func (a app) linkAssets() error {
	if err := os.MkdirAll(a.cache.Assets(), 0o750); err != nil {
		return err
	}
	target, err := filepath.Rel(a.cache.Assets(), a.cache.Bin("kube"))
	if err != nil {
		return err
	}
	for _, name := range assetNames {
		err := os.Symlink(target, filepath.Join(a.cache.Assets(), name))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("link %s: %w", name, err)
		}
	}
	return nil
}
