package main

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const deploy = ".."

func TestGeneratedFilesAreCurrent(t *testing.T) {
	files, err := generate(deploy)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		got, err := os.ReadFile(filepath.Join(deploy, path))
		if err != nil {
			t.Error(err)
			continue
		}
		if !bytes.Equal(got, files[path]) {
			t.Errorf("deploy/%s is not what its source says: run go run ./deploy/gen", path)
		}
	}
	stale, err := unwanted(deploy, files)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stale {
		t.Errorf("deploy/%s has no source any more: run go run ./deploy/gen", path)
	}
}

func TestFilesWithoutSourceAreRemoved(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(deploy)); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(dir, chartCRDs, "serin.dev_forgotten.yaml")
	if err := os.WriteFile(old, []byte("kind: CustomResourceDefinition\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("%s is still there (%v)", old, err)
	}
}

func TestEveryValueNeedsWords(t *testing.T) {
	for name, tc := range map[string]struct{ values, schema, want string }{
		"a value without a comment": {
			"image:\n  tag: x\n", `{"properties":{"image":{"properties":{"tag":{}}}}}`,
			"values.yaml says nothing about image.tag",
		},
		"a heading is no comment": {
			"# The image\n\ntag: x\n", `{"properties":{"tag":{}}}`,
			"values.yaml says nothing about tag",
		},
		"a value that the schema does not know": {
			"# It.\ntag: x\n", `{"properties":{}}`,
			"values.schema.json does not know tag",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range map[string]string{"values.yaml": tc.values, "values.schema.json": tc.schema} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := readValues(dir)
			if err == nil || err.Error() != tc.want {
				t.Errorf("error is %v, want %s", err, tc.want)
			}
		})
	}
}
