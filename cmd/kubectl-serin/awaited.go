package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// awaited is a revision whose rollout is waited for.
type awaited struct {
	// what it is called by who waits, and how it is known again.
	what  string
	names func(v1beta1.RevisionStatus) bool
	// rollout is the number of its rollout, once that was seen under way.
	rollout int64
}

// awaited finds what the flags name; without any, what is under way.
func (f statusFlags) awaited(ctx context.Context, t target, c *v1beta1.Canary) (*awaited, error) {
	switch r := c.Status.Rollout; {
	case f.image != "":
		return &awaited{what: f.image, names: func(r v1beta1.RevisionStatus) bool { return slices.ContainsFunc(r.Images, isImage(f.image)) }}, nil
	case f.revision != 0:
		kept, err := t.find(ctx, c, f.revision)
		if err != nil {
			return nil, err
		}
		return &awaited{what: fmt.Sprintf("revision %d (%s)", f.revision, kept.Image), names: called(kept.Name)}, nil
	case r != nil && r.EndedAt == nil:
		return &awaited{what: r.Revision.Image, names: called(r.Revision.Name)}, nil
	default: // at rest, or not adopted yet
		return &awaited{what: "the first revision", names: func(v1beta1.RevisionStatus) bool { return true }}, nil
	}
}

func called(name string) func(v1beta1.RevisionStatus) bool {
	return func(r v1beta1.RevisionStatus) bool { return r.Name == name }
}

// isImage is true for an image by that name or tag, as rollback --to-image has it.
func isImage(name string) func(string) bool {
	return func(image string) bool {
		return image == name || strings.HasSuffix(image, "/"+name) || strings.HasSuffix(image, ":"+name)
	}
}

// verdict is what a status says about the awaited revision; nothing while it is not over.
type verdict struct {
	over, promoted bool
	text           string
}

// judge looks at one state. A rollout that was seen under way is found again in the history when the
// next one has taken its place; one that ended before the waiting began tells nothing, unless its
// revision is the one that is held as rejected now.
func (a *awaited) judge(c *v1beta1.Canary) verdict {
	s := &c.Status
	if r := s.Rollout; r != nil && a.names(r.Revision) {
		switch {
		case r.EndedAt == nil:
			a.rollout = r.Number
			return verdict{}
		case s.Phase == v1beta1.PhaseFailed:
			return verdict{over: true, text: fmt.Sprintf("%s was not promoted: %s: %s. %s serves", r.Revision.Image, outcome(r.Outcome, r.Reason), r.Message, s.Promoted.Image)}
		}
	}
	for _, h := range s.History {
		if h.Number == a.rollout && h.Outcome != v1beta1.OutcomePromoted {
			return verdict{over: true, text: fmt.Sprintf("%s was not promoted: %s: %s", h.Image, outcome(h.Outcome, h.Reason), h.Message)}
		}
		if h.Number == a.rollout {
			return verdict{over: true, promoted: true, text: h.Image + " was promoted"}
		}
	}
	if s.Promoted != nil && s.Initialization == nil && a.names(*s.Promoted) {
		return verdict{over: true, promoted: true, text: s.Promoted.Image + " is promoted and serves"}
	}
	return verdict{}
}

// missing says what did not happen.
func (a *awaited) missing() string {
	if a.rollout == 0 {
		return fmt.Sprintf("no rollout of %s began", a.what)
	}
	return fmt.Sprintf("%s was neither promoted nor rolled back", a.what)
}
