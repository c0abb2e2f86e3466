package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/serin-dev/serin/deploy/image/archive"
	"github.com/serin-dev/serin/deploy/image/parts"
)

// home is where existing manifests start ./loadtester.
const home = "/home/app"

// programs are those that webhooks in the field call. BusyBox stands in for the
// small tools around them.
var programs = []string{"bash", "busybox", "curl", "grep", "jq", "wget", "wrk"}

// links are names that the load tester itself answers to: its own for people, those
// of load generators for webhooks.
var links = []string{"ghz", "grpc_health_probe", "hey", "loadtester"}

// applets are the names that BusyBox answers to in the image.
var applets = strings.Fields(`
	awk base64 basename cat chmod cmp cp cut date dd df diff dirname du echo egrep
	env expand expr false fgrep find fold free head hostname id kill killall ln ls
	md5sum mkdir mkfifo mktemp more mv nc nslookup od paste printf ps pwd readlink
	realpath rev rm rmdir sed seq sha256sum sleep sort stat strings stty sync tac
	tail tar tee telnet test time timeout touch tr true uname uniq unzip uptime
	usleep watch wc which whoami xargs xxd yes`)

func (o options) image(ctx context.Context, arch, binary string) (archive.Image, error) {
	if err := o.program.Build(ctx, arch, binary); err != nil {
		return archive.Image{}, err
	}
	root, err := o.packages(ctx, arch)
	if err != nil {
		return archive.Image{}, fmt.Errorf("get packages for %s: %w", arch, err)
	}
	files, err := toolFiles(root, arch)
	if err != nil {
		return archive.Image{}, err
	}
	roots, err := parts.Roots()
	if err != nil {
		return archive.Image{}, err
	}
	files = append(files, linkFiles()...)
	return archive.Image{
		Tags: o.tags, Arch: arch, User: "65532:65532", WorkDir: home,
		Entrypoint: []string{home + "/loadtester"},
		// Of the directories only /tmp can be written.
		Env: []string{"PATH=/usr/bin", "HOME=/tmp"},
		Files: append(files, roots,
			archive.File{Path: home + "/loadtester", From: binary, Mode: 0o755},
			archive.File{Path: "/etc/nsswitch.conf", Data: []byte("hosts: files dns\n")},
			archive.File{Path: "/usr/share/doc/packages", From: filepath.Join(root, packageList)},
		),
	}, nil
}

// toolFiles are the programs with the libraries that they load, under /usr with
// links from where they used to be.
func toolFiles(root, arch string) ([]archive.File, error) {
	loaded, err := closure(root, arch, programs)
	if err != nil {
		return nil, err
	}
	files := []archive.File{
		{Path: "bin", Link: "usr/bin"},
		{Path: "lib", Link: "usr/lib"},
		{Path: "usr/bin/sh", Link: "bash"},
	}
	if arch == "amd64" { // where its linker is
		files = append(files, archive.File{Path: "lib64", Link: "usr/lib64"})
	}
	for _, name := range applets {
		files = append(files, archive.File{Path: "usr/bin/" + name, Link: "busybox"})
	}
	for _, path := range loaded {
		files = append(files, archive.File{Path: path, From: filepath.Join(root, path)})
	}
	return files, nil
}

func linkFiles() []archive.File {
	var files []archive.File
	for _, name := range links {
		files = append(files, archive.File{Path: "usr/bin/" + name, Link: home + "/loadtester"})
	}
	return files
}
