package v1beta1

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// LabelValue makes a name fit into a label: a longer one keeps its head and gets a hash as its tail.
func LabelValue(name string) string {
	const limit = 63
	if len(name) <= limit {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return strings.TrimRight(name[:limit-11], "-.") + "-" + hex.EncodeToString(sum[:])[:10]
}
