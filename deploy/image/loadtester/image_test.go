package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/deploy/image/parts"
)

// debianImage lets the test download packages and run programs with root's rights:
//
//	go test ./deploy/image/loadtester -args -debian
var debianImage = flag.Bool("debian", false, "get Debian's packages and run the programs of the image")

// TestProgramsOfTheImageRun runs every program inside the image's own files, so
// that a library that is missing shows.
func TestProgramsOfTheImageRun(t *testing.T) {
	if !*debianImage {
		t.Skip("needs Debian's packages and root: run with -args -debian")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	opts := options{cache: filepath.Join(cache, "serin", "loadtester"), tags: []string{"serin.dev/test:dev"}}
	opts.program.Package = "../../../cmd/loadtester"
	img, err := opts.image(t.Context(), "amd64", filepath.Join(t.TempDir(), "loadtester"))
	if err != nil {
		t.Fatal(err)
	}
	root := install(t, img)
	for name, tc := range map[string]struct{ script, want string }{
		"bash":                                   {"echo ${BASH_VERSION:+bash} $(id -u)", "bash 65532"},
		"sh is bash":                             {"sh -c 'echo ${BASH_VERSION:+bash}'", "bash"},
		"curl":                                   {"curl -s file:///etc/nsswitch.conf", "hosts: files dns"},
		"curl with TLS, refused by nobody there": {"curl -sS https://127.0.0.1:1 2>&1 | grep -o 'connect to 127.0.0.1'", "connect to 127.0.0.1"},
		"grep":                                   {"echo token | grep -oP 'tok(?=en)'", "tok"},
		"wget":                                   {"wget -q -O - http://127.0.0.1:1; echo $?", "4"},
		"hey":                                    {"hey -n 1 -c 1 http://127.0.0.1:1 2>&1 | grep -o 'no request was answered'", "no request was answered"},
		"ghz":                                    {"ghz -n 1 -c 1 --insecure 127.0.0.1:1 2>&1 | grep -o 'no request was answered'", "no request was answered"},
		"grpc_health_probe":                      {"grpc_health_probe -addr=127.0.0.1:1 2>&1 | grep -o 'connection refused'", "connection refused"},
		"jq":                                     {"echo '{\"a\": 1}' | jq .a", "1"},
		"wrk":                                    {"wrk -v | grep -o '^wrk'", "wrk"},
		"a gate by name":                         {"loadtester gate -address http://127.0.0.1:1 open a.b 2>&1 | grep -o -- '-address says where'", "-address says where"},
		"a name":                                 {"curl -s http://localhost:1; echo $?", "7"},
		"authorities":                            {"grep -c BEGIN /etc/ssl/certs/ca-certificates.crt | sed 's/[0-9][0-9][0-9]/many/'", "many"},
		"temporary files":                        {"f=$(mktemp) && echo kept > $f && cat $f", "kept"},
		"where tests find it":                    {"./loadtester -port x 2>&1 | grep -o 'listen on port x'", "listen on port x"},
		"all applets exist": {
			"for a in " + strings.Join(applets, " ") + "; do busybox --list | grep -qx $a || echo $a; done; echo done", "done",
		},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "/usr/bin/bash", "-c", tc.script)
			cmd.Dir, cmd.Env = img.WorkDir, img.Env
			cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
			if diff := cmp.Diff(tc.want, strings.TrimSpace(string(out))); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
}

// Each name leads to the program, and the program knows it.
func TestProgramAnswersToItsLinks(t *testing.T) {
	root := t.TempDir()
	binary := filepath.Join(root, home, "loadtester")
	program := parts.Program{Package: "../../../cmd/loadtester", Version: "test"}
	if err := program.Build(t.Context(), runtime.GOARCH, binary); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range linkFiles() {
		name := filepath.Join(root, file.Path)
		names = append(names, "/"+file.Path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.Symlink(filepath.Join(root, file.Link), name)); err != nil {
			t.Fatal(err)
		}
		usage := "Usage of " + filepath.Base(name) + ":"
		if out, _ := exec.CommandContext(t.Context(), name, "-h").CombinedOutput(); !strings.HasPrefix(string(out), usage) {
			t.Errorf("%s -h says %q, want %q", file.Path, out, usage)
		}
	}
	want := []string{"/usr/bin/ghz", "/usr/bin/grpc_health_probe", "/usr/bin/hey", "/usr/bin/loadtester"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
}

func TestExtractPutsAllUnderUsr(t *testing.T) {
	var pkg bytes.Buffer
	w := tar.NewWriter(&pkg)
	for _, f := range []struct{ name, link string }{
		{"./bin/bash", ""},
		{"./lib/x86_64-linux-gnu/libc.so.6", ""},
		{"./lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6"},
		{"./usr/lib/libc.so", "../../lib/x86_64-linux-gnu/libc.so.6"},
		{"./usr/bin/rbash", "bash"},
		{"./etc/shadow", ""},
		{"./../../escaped", ""},
	} {
		hdr := &tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: 0o755, Size: int64(len(f.name))}
		if f.link != "" {
			hdr.Typeflag, hdr.Linkname, hdr.Size = tar.TypeSymlink, f.link, 0
		}
		if err := w.WriteHeader(hdr); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.name[:hdr.Size]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := extract(&pkg, root); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			data, readErr := os.ReadFile(path) // through the links
			name, _ := filepath.Rel(root, path)
			got[name], err = string(data), readErr
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	libc := "./lib/x86_64-linux-gnu/libc.so.6"
	want := map[string]string{
		"usr/bin/bash": "./bin/bash", "usr/bin/rbash": "./bin/bash",
		"usr/lib/x86_64-linux-gnu/libc.so.6": libc, "usr/lib64/ld-linux-x86-64.so.2": libc, "usr/lib/libc.so": libc,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestClosureRefuses(t *testing.T) {
	if _, err := closure(t.TempDir(), "z80", programs); err == nil || !strings.Contains(err.Error(), "architecture z80") {
		t.Errorf("error = %v, want it to name the architecture", err)
	}
	if _, err := closure(t.TempDir(), "amd64", programs); err == nil || !strings.Contains(err.Error(), "libraries of usr/bin/bash") {
		t.Errorf("error = %v, want it to name the program", err)
	}
	if _, err := findLibrary(t.TempDir(), "libx.so", []string{"usr/lib"}); err == nil || !strings.Contains(err.Error(), "libx.so is in none of usr/lib") {
		t.Errorf("error = %v, want it to name the library", err)
	}
}

func TestRunRefuses(t *testing.T) {
	for want, args := range map[string][]string{
		"no -tag given":           nil,
		`unexpected argument "x"`: {"-tag", "a.b/c:d", "x"},
	} {
		if err := run(t.Context(), args, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want it to contain %q", err, want)
		}
	}
}
