package archive_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/deploy/image/archive"
)

func makeImage(arch string, files ...archive.File) archive.Image {
	return archive.Image{
		Tags: []string{"serin.dev/test:dev"}, Arch: arch, User: "65532", WorkDir: "/",
		Entrypoint: []string{"/app"}, Cmd: []string{"-v"}, Env: []string{"A=b"}, Files: files,
	}
}

func writeImage(t *testing.T, img archive.Image) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := archive.Write(&buf, img); err != nil {
		t.Fatalf("write image: %v", err)
	}
	return buf.Bytes()
}

// untar reads a tar and returns its entries in order, and the content by name.
func untar(t *testing.T, data []byte) ([]*tar.Header, map[string][]byte) {
	t.Helper()
	var headers []*tar.Header
	content := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		hdr, err := r.Next()
		if errors.Is(err, io.EOF) {
			return headers, content
		}
		if err != nil {
			t.Fatalf("read tar: %v", err)
		}
		if content[hdr.Name], err = io.ReadAll(r); err != nil {
			t.Fatalf("read %s: %v", hdr.Name, err)
		}
		headers = append(headers, hdr)
	}
}

func decode[T any](t *testing.T, data []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("decode %q: %v", data, err)
	}
	return v
}

type dockerImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

type descriptor struct {
	MediaType   string
	Digest      string
	Size        int64
	Platform    *struct{ Architecture, OS string }
	Annotations map[string]string
}

type document struct {
	MediaType string
	Config    descriptor
	Layers    []descriptor
	Manifests []descriptor
}

func blobOf(digest string) string {
	return "blobs/" + strings.Replace(digest, ":", "/", 1)
}

func TestWriteIsDeterministic(t *testing.T) {
	host := filepath.Join(t.TempDir(), "app")
	if err := os.WriteFile(host, []byte("binary"), 0o700); err != nil {
		t.Fatal(err)
	}
	a, b := archive.File{Path: "/app", From: host}, archive.File{Path: "etc/x", Data: []byte("x")}
	want := writeImage(t, makeImage("", a, b))

	if err := os.Chtimes(host, time.Unix(1e9, 0), time.Unix(1e9, 0)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(host, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := writeImage(t, makeImage("amd64", b, a)); !bytes.Equal(got, want) {
		t.Error("order of files, modification time or umask of the host changed the archive")
	}
}

func TestLayerContent(t *testing.T) {
	host := filepath.Join(t.TempDir(), "app")
	if err := os.WriteFile(host, []byte("binary"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, content := untar(t, writeImage(t, makeImage("",
		archive.File{Path: "/usr/bin/app", From: host},
		archive.File{Path: "app", Link: "/usr/bin/app"},
		archive.File{Path: "home", Mode: fs.ModeDir | 0o700},
		archive.File{Path: "../etc/secret", Data: []byte("s"), Mode: 0o600},
	)))
	docker := decode[[]dockerImage](t, content["manifest.json"])
	headers, files := untar(t, content[docker[0].Layers[0]])

	got := map[string]string{}
	for _, h := range headers {
		got[h.Name] = string(h.Typeflag) + " " + fs.FileMode(h.Mode&0o777).String()
		if !h.ModTime.Equal(time.Unix(0, 0)) || h.Uid != 0 || h.Gid != 0 || h.Uname != "" {
			t.Errorf("%s: time or owner of the host: %v", h.Name, h)
		}
		if h.Name == "tmp/" && h.Mode != 0o1777 {
			t.Errorf("mode of /tmp = %o, want 1777", h.Mode)
		}
	}
	want := map[string]string{
		"app": "2 -rwxrwxrwx", "etc/": "5 -rwxr-xr-x", "etc/group": "0 -rw-r--r--",
		"etc/passwd": "0 -rw-r--r--", "etc/secret": "0 -rw-------", "home/": "5 -rwx------",
		"tmp/": "5 -rwxrwxrwx", "usr/": "5 -rwxr-xr-x", "usr/bin/": "5 -rwxr-xr-x", "usr/bin/app": "0 -rwxr-xr-x",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("layer (-want +got):\n%s", diff)
	}
	if string(files["usr/bin/app"]) != "binary" || !strings.Contains(string(files["etc/passwd"]), "nonroot:x:65532:") {
		t.Errorf("content: app %q, passwd %q", files["usr/bin/app"], files["etc/passwd"])
	}
}

func TestOwnPasswdIsKept(t *testing.T) {
	_, content := untar(t, writeImage(t, makeImage("", archive.File{Path: "etc/passwd", Data: []byte("mine")})))
	docker := decode[[]dockerImage](t, content["manifest.json"])
	if _, files := untar(t, content[docker[0].Layers[0]]); string(files["etc/passwd"]) != "mine" {
		t.Errorf("/etc/passwd = %q", files["etc/passwd"])
	}
}

func TestDocumentsAgree(t *testing.T) {
	img := makeImage("arm64")
	img.Tags = append(img.Tags, "localhost:5000/test:v1")
	_, content := untar(t, writeImage(t, img))

	index := decode[document](t, content["index.json"])
	if len(index.Manifests) != 2 {
		t.Fatalf("index.json names %d manifests, want one a tag", len(index.Manifests))
	}
	second := index.Manifests[1].Annotations
	if second["io.containerd.image.name"] != "localhost:5000/test:v1" || second["org.opencontainers.image.ref.name"] != "v1" {
		t.Errorf("annotations = %v", second)
	}
	checkManifest(t, content, index.Manifests[0], "arm64")

	config := decode[map[string]any](t, content[decode[[]dockerImage](t, content["manifest.json"])[0].Config])
	want := map[string]any{
		"User": "65532", "WorkingDir": "/", "Entrypoint": []any{"/app"}, "Cmd": []any{"-v"}, "Env": []any{"A=b"},
	}
	if diff := cmp.Diff(want, config["config"]); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

func TestWriteIndex(t *testing.T) {
	var buf bytes.Buffer
	if err := archive.WriteIndex(&buf, []archive.Image{makeImage("amd64"), makeImage("arm64")}); err != nil {
		t.Fatal(err)
	}
	headers, content := untar(t, buf.Bytes())
	root := decode[document](t, content["index.json"]).Manifests
	if len(root) != 1 || !strings.Contains(root[0].MediaType, "image.index") {
		t.Fatalf("index.json = %s, want one nested index", content["index.json"])
	}
	for i, desc := range decode[document](t, content[blobOf(root[0].Digest)]).Manifests {
		checkManifest(t, content, desc, []string{"amd64", "arm64"}[i])
	}
	docker := decode[[]dockerImage](t, content["manifest.json"])
	got := []string{docker[0].RepoTags[0], docker[1].RepoTags[0]}
	if diff := cmp.Diff([]string{"serin.dev/test:dev", "serin.dev/test:dev-arm64"}, got); diff != "" {
		t.Errorf("docker tags (-want +got):\n%s", diff)
	}
	if len(headers) != len(content) {
		t.Errorf("%d entries under %d names: a shared blob was written twice", len(headers), len(content))
	}
}

// checkManifest follows a manifest's digests to the blobs and checks each.
func checkManifest(t *testing.T, content map[string][]byte, desc descriptor, arch string) {
	t.Helper()
	if desc.Platform == nil || desc.Platform.Architecture != arch || desc.Platform.OS != "linux" {
		t.Errorf("platform = %+v, want linux/%s", desc.Platform, arch)
	}
	m := decode[document](t, content[blobOf(desc.Digest)])
	for _, d := range append(m.Layers, m.Config, desc) {
		data := content[blobOf(d.Digest)]
		sum := sha256.Sum256(data)
		if int64(len(data)) != d.Size || "sha256:"+hex.EncodeToString(sum[:]) != d.Digest {
			t.Errorf("%s: blob of %d bytes does not match %s of %d bytes", d.MediaType, len(data), d.Digest, d.Size)
		}
	}
	config := decode[struct {
		Architecture string
		RootFS       struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}](t, content[blobOf(m.Config.Digest)])
	if config.Architecture != arch || config.RootFS.DiffIDs[0] != m.Layers[0].Digest {
		t.Errorf("config = %+v, layer %s", config, m.Layers[0].Digest)
	}
}

func TestWriteRefuses(t *testing.T) {
	withTag := func(tag string) archive.Image { return archive.Image{Tags: []string{tag}} }
	for name, tc := range map[string]struct {
		imgs []archive.Image
		want string
	}{
		"no image":            {nil, "no images"},
		"no tag":              {[]archive.Image{{}}, "no tag"},
		"a tag without name":  {[]archive.Image{withTag("serin.dev/serin")}, "not of the form registry/name:tag"},
		"no registry":         {[]archive.Image{withTag("serin/serin:dev")}, "not of the form registry/name:tag"},
		"the same platform":   {[]archive.Image{makeImage(""), makeImage("amd64")}, "two images for amd64"},
		"different tags":      {[]archive.Image{makeImage(""), {Arch: "arm64", Tags: []string{"serin.dev/b:c"}}}, "differ"},
		"a duplicate path":    {[]archive.Image{makeImage("", archive.File{Path: "/a"}, archive.File{Path: "a"})}, "given twice"},
		"the root as file":    {[]archive.Image{makeImage("", archive.File{Path: "/"})}, "no path"},
		"a missing host file": {[]archive.Image{makeImage("", archive.File{Path: "a", From: "/nonexistent/x"})}, "/a: open /nonexistent/x"},
		"a host directory":    {[]archive.Image{makeImage("", archive.File{Path: "a", From: "/"})}, "not a regular file"},
		"setuid":              {[]archive.Image{makeImage("", archive.File{Path: "a", Mode: fs.ModeSetuid | 0o755})}, "would change the user"},
		"a file below a link": {[]archive.Image{makeImage("", archive.File{Path: "bin", Link: "usr/bin"}, archive.File{Path: "bin/sh"})}, "/bin/sh is below /bin"},
	} {
		t.Run(name, func(t *testing.T) {
			err := archive.WriteIndex(io.Discard, tc.imgs)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error = %v, want it to contain %q", err, tc.want)
			}
		})
	}
}

// changing is a writer that changes a host file once the first byte is written,
// that is after the digests were taken.
type changing struct {
	path string
	done bool
}

func (c *changing) Write(p []byte) (int, error) {
	if !c.done {
		c.done = true
		if err := os.WriteFile(c.path, []byte("after!"), 0o600); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

func TestWriteNoticesAChangedHostFile(t *testing.T) {
	host := filepath.Join(t.TempDir(), "app")
	if err := os.WriteFile(host, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := archive.Write(&changing{path: host}, makeImage("", archive.File{Path: "app", From: host}))
	if err == nil || !strings.Contains(err.Error(), "changed while the image was written") {
		t.Errorf("error = %v", err)
	}
}
