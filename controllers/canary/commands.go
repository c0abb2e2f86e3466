package canary

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/rollout"
)

// seeCommand reads the command that the Canary carries, and for one that is new the snapshots that a
// rollback may go to.
func (r *Reconciler) seeCommand(ctx context.Context, v *view) error {
	text := v.canary.Annotations[v1beta1.CommandAnnotation]
	if text == "" {
		return nil
	}
	parsed, err := v1beta1.ParseCommand(text)
	c := &rollout.Command{Command: parsed, Written: text, SelfReported: true}
	if err != nil {
		c.Wrong = err.Error()
	}
	if c.ID == "" {
		c.ID = text // without a nonce the text is one: it is refused once
	}
	if len(c.ID) > 200 || len(c.By) > 200 || len(text) > 1000 { // more than a status can hold
		c.Command = v1beta1.Command{ID: fmt.Sprintf("%x", sha256.Sum256([]byte(text)))}
		c.Written, c.Wrong = text[:min(len(text), 100)], fmt.Sprintf("the command has %d characters: it may have 1000, and its id and by 200 each", len(text))
	}
	if who := v.canary.Annotations[v1beta1.CommandUserAnnotation]; who != "" && r.CommandsStamped {
		c.By, c.SelfReported = who, false
	}
	v.Command = c
	if s := v.canary.Status.Command; s != nil && s.ID == c.ID {
		return nil
	}
	kept, err := r.revisions.Kept(ctx, v.canary)
	if err != nil {
		return err
	}
	for _, k := range kept {
		v.Revisions = append(v.Revisions, rollout.Snapshot{RevisionStatus: k.RevisionStatus, Number: k.Number, Commit: k.Commit})
	}
	return nil
}
