package main

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// triplets name the directories of libraries.
var triplets = map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}

// closure returns the paths below root of the programs and of everything that the
// dynamic linker loads for them. It reads the files where ldd would run them: they
// may be for another architecture.
func closure(root, arch string, names []string) ([]string, error) {
	triplet, ok := triplets[arch]
	if !ok {
		return nil, fmt.Errorf("no packages are known for architecture %s", arch)
	}
	var queue []string
	for _, name := range names {
		queue = append(queue, "usr/bin/"+name)
	}
	dirs := []string{"usr/lib/" + triplet, "usr/lib"}
	for i := 0; i < len(queue); i++ {
		needed, err := loads(root, queue[i], dirs)
		if err != nil {
			return nil, fmt.Errorf("libraries of %s: %w", queue[i], err)
		}
		for _, lib := range needed {
			if !slices.Contains(queue, lib) {
				queue = append(queue, lib)
			}
		}
	}
	return queue, nil
}

// loads returns what one file asks the linker for, the linker included.
func loads(root, name string, dirs []string) ([]string, error) {
	file, err := elf.Open(filepath.Join(root, name))
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // read only: nothing can be lost
	libs, err := file.ImportedLibraries()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return nil, err
	}
	var out []string
	for _, lib := range libs {
		found, err := findLibrary(root, lib, dirs)
		if err != nil {
			return nil, err
		}
		out = append(out, found)
	}
	if section := file.Section(".interp"); section != nil {
		linker, err := section.Data()
		if err != nil {
			return nil, fmt.Errorf("read name of the linker: %w", err)
		}
		out = append(out, merged(strings.TrimRight(string(linker), "\x00")))
	}
	return out, nil
}

func findLibrary(root, lib string, dirs []string) (string, error) {
	for _, dir := range dirs {
		_, err := os.Stat(filepath.Join(root, dir, lib)) //nolint:gosec // names come from a package that apt has checked
		if err == nil {
			return path.Join(dir, lib), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("%s is in none of %s", lib, strings.Join(dirs, ", "))
}
