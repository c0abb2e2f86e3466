package archive

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

const (
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	// Layers are not compressed: the output of a compressor may change with the
	// version of Go, and these archives are loaded, not kept.
	typeLayer = "application/vnd.oci.image.layer.v1.tar"

	epoch = "1970-01-01T00:00:00Z"
)

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type index struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []descriptor `json:"manifests"`
}

type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        descriptor   `json:"config"`
	Layers        []descriptor `json:"layers"`
}

type config struct {
	platform
	Created string        `json:"created"`
	Config  runtimeConfig `json:"config"`
	RootFS  rootFS        `json:"rootfs"`
	History []history     `json:"history"`
}

type runtimeConfig struct {
	User       string   `json:"User,omitempty"`
	Env        []string `json:"Env,omitempty"`
	Entrypoint []string `json:"Entrypoint,omitempty"`
	Cmd        []string `json:"Cmd,omitempty"`
	WorkingDir string   `json:"WorkingDir,omitempty"`
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

type history struct {
	Created   string `json:"created"`
	CreatedBy string `json:"created_by"`
}

// dockerImage is an element of manifest.json.
type dockerImage struct {
	Config   string   `json:"Config"`
	RepoTags []string `json:"RepoTags"`
	Layers   []string `json:"Layers"`
}

// blob is one file of the archive.
type blob struct {
	name  string
	size  int64
	write func(io.Writer) error
}

// documents collects what the archive holds. Blobs are keyed by name: platforms
// may share them.
type documents struct {
	heads   []blob
	content map[string]blob
	docker  []dockerImage
}

// describe builds every document of the archive of imgs.
func describe(imgs []Image) (*documents, error) {
	d := &documents{content: map[string]blob{}}
	var manifests []descriptor
	for i, img := range imgs {
		desc, err := d.addImage(img, i == 0)
		if err != nil {
			return nil, fmt.Errorf("image for %s: %w", img.arch(), err)
		}
		manifests = append(manifests, desc)
	}
	root := manifests[0]
	if len(manifests) > 1 {
		var err error
		if root, err = d.addJSON(typeIndex, index{SchemaVersion: 2, MediaType: typeIndex, Manifests: manifests}); err != nil {
			return nil, err
		}
	}
	return d, d.addHeads(tagged(root, imgs[0].Tags))
}

func (d *documents) addImage(img Image, first bool) (descriptor, error) {
	if err := img.checkTags(); err != nil {
		return descriptor{}, err
	}
	l, err := newLayer(img.Files)
	if err != nil {
		return descriptor{}, err
	}
	layerDesc := descriptor{MediaType: typeLayer, Digest: l.digest, Size: l.size}
	d.content[blobName(l.digest)] = blob{name: blobName(l.digest), size: l.size, write: l.write}
	configDesc, err := d.addJSON(typeConfig, img.config(l.digest))
	if err != nil {
		return descriptor{}, err
	}
	d.docker = append(d.docker, dockerImage{
		Config: blobName(configDesc.Digest), RepoTags: img.dockerTags(first), Layers: []string{blobName(l.digest)},
	})
	desc, err := d.addJSON(typeManifest, manifest{
		SchemaVersion: 2, MediaType: typeManifest, Config: configDesc, Layers: []descriptor{layerDesc},
	})
	desc.Platform = &platform{Architecture: img.arch(), OS: "linux"}
	return desc, err
}

func (img Image) config(layerDigest string) config {
	return config{
		platform: platform{Architecture: img.arch(), OS: "linux"},
		Created:  epoch,
		Config: runtimeConfig{
			User: img.User, Env: img.Env, Entrypoint: img.Entrypoint, Cmd: img.Cmd, WorkingDir: img.WorkDir,
		},
		RootFS:  rootFS{Type: "layers", DiffIDs: []string{layerDigest}},
		History: []history{{Created: epoch, CreatedBy: "serin deploy/image"}},
	}
}

func (img Image) dockerTags(first bool) []string {
	if first {
		return img.Tags
	}
	var tags []string
	for _, tag := range img.Tags {
		tags = append(tags, tag+"-"+img.arch())
	}
	return tags
}

// tagged gives one descriptor per tag: that is how a layout says several names.
func tagged(root descriptor, tags []string) []descriptor {
	var out []descriptor
	for _, tag := range tags {
		desc := root
		desc.Annotations = map[string]string{
			"io.containerd.image.name":          tag,
			"org.opencontainers.image.ref.name": tag[strings.LastIndex(tag, ":")+1:],
		}
		out = append(out, desc)
	}
	return out
}

func (d *documents) addJSON(mediaType string, v any) (descriptor, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return descriptor{}, fmt.Errorf("encode %s: %w", mediaType, err)
	}
	sum := sha256.Sum256(data)
	digest := "sha256:" + hex.EncodeToString(sum[:])
	d.content[blobName(digest)] = dataBlob(blobName(digest), data)
	return descriptor{MediaType: mediaType, Digest: digest, Size: int64(len(data))}, nil
}

func (d *documents) addHeads(roots []descriptor) error {
	for _, head := range []struct {
		name string
		v    any
	}{
		{"oci-layout", map[string]string{"imageLayoutVersion": "1.0.0"}},
		{"index.json", index{SchemaVersion: 2, MediaType: typeIndex, Manifests: roots}},
		{"manifest.json", d.docker},
	} {
		data, err := json.Marshal(head.v)
		if err != nil {
			return fmt.Errorf("encode %s: %w", head.name, err)
		}
		d.heads = append(d.heads, dataBlob(head.name, data))
	}
	return nil
}

// blobs returns the files of the archive in the order in which they are written.
func (d *documents) blobs() []blob {
	out := slices.Clone(d.heads)
	for _, name := range slices.Sorted(maps.Keys(d.content)) {
		out = append(out, d.content[name])
	}
	return out
}

func dataBlob(name string, data []byte) blob {
	return blob{name: name, size: int64(len(data)), write: func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}}
}

func blobName(digest string) string {
	return "blobs/" + strings.Replace(digest, ":", "/", 1)
}
