package stage

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// Config is how the stage is set.
type Config struct {
	// Existing takes the cluster that KUBECONFIG names, and namespaces of the stage's own in it.
	// Otherwise the local cluster is started.
	Existing bool
	// Keep leaves everything as it is at the end.
	Keep bool
	// ImageLoad is the command that brings an image archive to an existing cluster: {tar} stands for its
	// file, {image} for its reference.
	ImageLoad string
	// Registry is where an existing cluster pulls the images from, as registry.example/team.
	Registry string
	// Tag of the images.
	Tag string
}

// FromEnvironment reads what make passes on.
func FromEnvironment() (Config, error) {
	c := Config{
		Keep: os.Getenv("KEEP") != "", ImageLoad: os.Getenv("IMAGE_LOAD"),
		Registry: strings.TrimSuffix(os.Getenv("REGISTRY"), "/"), Tag: "dev",
	}
	switch which := os.Getenv("CLUSTER"); which {
	case "", "local":
		return c, nil
	case "existing":
		c.Existing = true
	default:
		return c, fmt.Errorf("CLUSTER=%s is neither existing nor local", which)
	}
	if c.Registry != "" {
		// Nodes keep what they pulled under a tag: each run has its own.
		c.Tag = "demo-" + time.Now().UTC().Format("20060102150405")
		if c.ImageLoad == "" {
			c.ImageLoad = "crane push {tar} {image}"
		}
	}
	if c.ImageLoad == "" {
		return c, fmt.Errorf("CLUSTER=existing needs to know how images get there: IMAGE_LOAD='kind load image-archive {tar}', or REGISTRY=registry.example/team with IMAGE_LOAD='crane push {tar} {image}'")
	}
	return c, nil
}

// Image is the reference of one of our images, as the cluster knows it.
func (c Config) Image(name string) string {
	registry := "serin.dev"
	if c.Registry != "" {
		registry = c.Registry
	}
	return registry + "/" + name + ":" + c.Tag
}
