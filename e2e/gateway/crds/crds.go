// Package crds holds CustomResourceDefinitions of our own for the Gloo kinds
// that the gateway reads. Names, scope and the behaviour that matters are
// those of Gloo's own CRDs: no status subresource, atomic lists, a status that
// defaults to an empty set. The schemas know the fields that package gloo
// reads; the API server prunes others, but for options and statuses, which
// are kept as they come.
package crds

import "embed"

// FS holds one YAML document a file.
//
//go:embed *.yaml
var FS embed.FS
