package revision

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/serin-dev/serin/pkg/configs"
)

// VersionsAnnotation on a snapshot lists its ConfigMaps and Secrets with the version of each that was
// found to hold the contents: what has that version needs not be read again. A snapshot that is older
// than their tracking has nothing but this.
const VersionsAnnotation = "serin.dev/config-versions"

// Config is one ConfigMap or Secret of a revision. Of its contents it has a keyed hash and the name of
// the copy that holds them.
type Config struct {
	Kind configs.Kind `json:"kind"`
	Name string       `json:"name"`
	// Hash is empty for what is not part of the revision, and absent for an optional one that did
	// not exist.
	Hash string `json:"hash,omitempty"`
	Copy string `json:"copy,omitempty"`
}

const absent = "absent"

// ID of the original.
func (c Config) ID() configs.ID { return configs.ID{Kind: c.Kind, Name: c.Name} }

func (c Config) tracked() bool { return c.Hash != "" }

// entry is a Config with what it was last found to be.
type entry struct {
	Config
	// Version of the original when it was read.
	Version string `json:"version,omitempty"`
	// Live is the UID of an original that stays a live reference, whatever its version: for Secrets
	// the type decides, and metadata does not show it.
	Live string `json:"live,omitempty"`
}

// Present is what a target refers to, as its metadata shows it.
type Present struct {
	configs.Reference
	// Version and UID; empty where it does not exist.
	Version, UID string
	// Enabled tracks it whatever its type.
	Enabled bool
}

// missing is true for what does not exist and pods cannot start without.
func (p Present) missing() bool { return p.Version == "" && !p.Optional }

// is true when the entry tells what is present without another look.
func (e entry) is(p Present) bool {
	switch {
	case p.Version == "":
		return e.Hash == absent
	case e.Live != "" && e.Live == p.UID && !p.Enabled:
		return true
	}
	return e.Version == p.Version
}

// entries are a snapshot's, by what they are of. What was recorded with it stands; the annotation
// adds versions, and what has been tracked only since.
func entries(cr *appsv1.ControllerRevision) (map[configs.ID]entry, error) {
	var noted []entry
	if err := json.Unmarshal([]byte(cr.Annotations[VersionsAnnotation]), &noted); err != nil {
		noted = nil // none, or somebody's edit: what it knew is read anew
	}
	var data struct {
		Configs []Config `json:"configs"`
	}
	if err := json.Unmarshal(cr.Data.Raw, &data); err != nil && len(cr.Data.Raw) > 0 {
		return nil, fmt.Errorf("decode snapshot %s/%s: %w", cr.Namespace, cr.Name, err)
	}
	all := map[configs.ID]entry{}
	for _, e := range noted {
		all[e.ID()] = e
	}
	for _, c := range data.Configs {
		e := all[c.ID()]
		if e.Hash != c.Hash {
			e.Version = "" // somebody's edit
		}
		e.Config = c
		all[c.ID()] = e
	}
	return all, nil
}

// listed puts entries into their fixed order.
func listed(all map[configs.ID]entry) []entry {
	out := make([]entry, 0, len(all))
	for _, e := range all {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b entry) int { return strings.Compare(a.ID().String(), b.ID().String()) })
	return out
}

// tracked are the entries that are part of the revision.
func tracked(all []entry) []Config {
	var out []Config
	for _, e := range all {
		if e.tracked() {
			out = append(out, e.Config)
		}
	}
	return out
}

// known is true when the entries tell all that is present. What is missing and must not be tells
// nothing.
func known(have map[configs.ID]entry, present []Present) bool {
	for _, p := range present {
		if e, ok := have[p.ID]; !p.missing() && (!ok || !e.is(p)) {
			return false
		}
	}
	return true
}

// same is true when nothing that both track differs. What only one of them tracks is no difference:
// both templates refer to it, and its tracking began or ended in between.
func same(have map[configs.ID]entry, now []entry) bool {
	for _, n := range now {
		if e := have[n.ID()]; e.tracked() && n.tracked() && e.Hash != n.Hash {
			return false
		}
	}
	return true
}

// merge notes on the entries what was found now. What they were recorded with stays.
func merge(have map[configs.ID]entry, now []entry) map[configs.ID]entry {
	for _, n := range now {
		if e := have[n.ID()]; e.tracked() {
			n.Config = e.Config
		}
		have[n.ID()] = n
	}
	return have
}

// identify adds the contents that belong to a revision to the hash of its template. Without any it
// is the template's alone.
func identify(hash string, all []entry) string {
	sum := sha256.New()
	written := false
	for _, c := range tracked(all) {
		if c.Hash != absent {
			fmt.Fprintf(sum, "%s %s=%s\n", hash, c.ID(), c.Hash)
			written = true
		}
	}
	if !written {
		return hash
	}
	return hex.EncodeToString(sum.Sum(nil))[:10]
}
