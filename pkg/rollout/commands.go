package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// What a rollout was told by a command and has not done yet.
const (
	forcedStep = "step"
	forcedFull = "full"
)

// byCommand is the reason of what nothing but a command brought about.
const byCommand = "a command asked for it"

// obey takes up a command that was not seen before. What it does and why, or why nothing is done, is
// told at once; carrying it out is the plan's next turn.
func (p *plan) obey() {
	c := p.Command
	if c == nil || p.status.Command != nil && p.status.Command.ID == c.ID {
		return
	}
	message, done := p.carryOut(*c)
	p.status.Command = &v1beta1.CommandStatus{ID: c.ID, Text: c.text(), By: c.By, SelfReported: c.SelfReported && c.By != "",
		At: micro(p.Now), Refused: !done, Message: clip(message)}
	t := Telling{Reason: "CommandTaken", Moment: Notice, Severity: Info, What: c.who() + c.text() + ": " + message}
	if !done {
		t.Reason, t.Severity = "CommandRefused", Warning
	}
	p.move(t)
}

// text is the command without nonce and name.
func (c Command) text() string {
	if c.Wrong != "" {
		return c.Written
	}
	c.ID, c.By = "", ""
	return strings.TrimSuffix(c.String(), " id=")
}

func (c Command) who() string {
	switch {
	case c.By == "":
		return ""
	case c.SelfReported:
		return c.By + " (by their own account) "
	default:
		return c.By + " "
	}
}

// carryOut says what a command does, or with false why it does nothing.
func (p *plan) carryOut(c Command) (string, bool) {
	switch {
	case c.Wrong != "":
		return c.Wrong, false
	case p.Object.Status.Phase == "":
		return "it was given before this Canary's status began and is not taken up again", false
	case p.Release || p.status.Release != nil:
		return fmt.Sprintf("its traffic goes back, or is back, on %s: without annotation %s it is adopted again", p.target(), v1beta1.ReleaseAnnotation), false
	case p.spec.Suspend:
		return "the Canary is suspended in its spec: set spec.suspend to false first", false
	case p.status.Promoted == nil || p.status.Initialization != nil:
		return "the adoption is not through yet: try again when the phase is Initialized", false
	}
	switch c.Verb {
	case v1beta1.VerbPause:
		return p.pause()
	case v1beta1.VerbResume:
		return p.resume()
	case v1beta1.VerbPromote:
		return p.force(c.Full)
	case v1beta1.VerbAbort:
		return p.abort()
	case v1beta1.VerbRetry:
		return p.retry()
	case v1beta1.VerbRollback:
		return p.rollback(c)
	default:
		return p.restart()
	}
}

// underWay is the rollout that commands speak of; nil at rest and on the way back to it.
func (p *plan) underWay() *v1beta1.RolloutStatus {
	r := p.status.Rollout
	if r == nil || r.EndedAt != nil || r.Outcome != "" && r.Step != v1beta1.StepBaking {
		return nil
	}
	return r
}

func (p *plan) pause() (string, bool) {
	if at := p.status.PausedAt; at != nil {
		return "it has been paused since " + clock(at.Time), false
	}
	p.status.PausedAt = new(micro(p.Now))
	if r := p.underWay(); r != nil {
		return fmt.Sprintf("%s stays at %s %% and is judged on; failed checks still roll it back. kubectl serin resume %s goes on",
			r.Revision.Image, p.status.CanaryWeight, p.Object.Name), true
	}
	return fmt.Sprintf("a new revision waits until kubectl serin resume %s", p.Object.Name), true
}

func (p *plan) resume() (string, bool) {
	if p.status.PausedAt == nil {
		return "it is not paused", false
	}
	p.status.PausedAt = nil
	return "it goes on", true
}

// force goes on without waiting for checks and gates.
func (p *plan) force(full bool) (string, bool) {
	r := p.underWay()
	switch {
	case r == nil:
		return "no rollout is under way: a change of the template starts one", false
	case r.Step == v1beta1.StepCopying:
		return r.Revision.Image + " is being promoted already", false
	case r.Step == v1beta1.StepBaking:
		p.endBake("a command ended it")
		return fmt.Sprintf("%s stays; %s is not kept warm any longer", r.Revision.Image, r.From.Image), true
	}
	r.Forced = forcedStep
	if full {
		r.Forced = forcedFull
		return fmt.Sprintf("%s is promoted without the rest of its analysis", r.Revision.Image), true
	}
	next, more := p.upcoming()
	if !more {
		return fmt.Sprintf("%s is promoted: it is in its last step", r.Revision.Image), true
	}
	return fmt.Sprintf("its checks and gates are not waited for: %s", p.describe(next)), true
}

func (p *plan) abort() (string, bool) {
	r := p.underWay()
	if r == nil {
		return fmt.Sprintf("no rollout is under way. kubectl serin rollback %s returns to what served before", p.Object.Name), false
	}
	why := "a command aborted it"
	switch r.Step {
	case v1beta1.StepBaking:
		p.unbake(v1beta1.OutcomeFailed, "Aborted", why)
	case v1beta1.StepCopying:
		p.restoreFor(v1beta1.OutcomeFailed, "Aborted", why)
	default:
		p.fail("Aborted", why)
	}
	return fmt.Sprintf("%s is rolled back and not tried again until the template changes or kubectl serin retry %s", r.Revision.Image, p.Object.Name), true
}

func (p *plan) retry() (string, bool) {
	switch {
	case p.ending() && p.status.Rollout.Step == v1beta1.StepRestoring:
		return p.retryPromotion()
	case p.underWay() != nil || p.ending():
		return "a rollout is under way", false
	case p.status.Rejected == "":
		return "no revision is rejected", false
	case p.status.Rejected != p.Target.Revision.Name:
		return fmt.Sprintf("%s no longer holds what was rejected", p.spec.TargetRef.Name), false
	}
	p.status.Rejected = ""
	return fmt.Sprintf("%s is rolled out once more", p.Target.Revision.Image), true
}

// rollback returns to an earlier revision. The user's template is not touched: what it holds is
// rejected until it changes.
func (p *plan) rollback(c Command) (string, bool) {
	bare := c.ToRevision == 0 && c.ToImage == "" && c.ToCommit == ""
	if r := p.underWay(); r != nil {
		if bare {
			return p.abort()
		}
		return fmt.Sprintf("the rollout of %s is under way: kubectl serin abort %s first", r.Revision.Image, p.Object.Name), false
	}
	if p.ending() {
		return "a rollout is on its way back: try again when it has ended", false
	}
	to, why := p.find(c)
	switch {
	case why != "":
		return why, false
	case to.Name == p.status.LastPromotedSpec:
		return to.Image + " serves already", false
	case to.Name == p.Target.Revision.Name:
		p.status.Rejected = ""
		return fmt.Sprintf("%s is what %s holds: it is rolled out", to.Image, p.spec.TargetRef.Name), true
	}
	held := p.Target.Revision
	p.startRollout(to, byCommand)
	p.status.Rollout.Pinned = true
	p.status.Rejected = held.Name
	how := "it is analysed like any other"
	if p.status.Rollout.Skipped != "" {
		how = "without an analysis: " + p.status.Rollout.Skipped
	}
	return fmt.Sprintf("back to %s, %s; %s of %s is held as rejected until the template changes", to.Image, how, held.Image, p.spec.TargetRef.Name), true
}

// find resolves where a rollback goes, or says why it cannot.
func (p *plan) find(c Command) (v1beta1.RevisionStatus, string) {
	if c.ToRevision == 0 && c.ToImage == "" && c.ToCommit == "" {
		n := len(p.status.Promotions)
		if n < 2 {
			return v1beta1.RevisionStatus{}, "nothing served before: name a revision with --to-revision, --to-image or --to-commit"
		}
		c.ToRevision = p.number(p.status.Promotions[n-2])
	}
	for _, s := range p.Revisions {
		tagged := slices.ContainsFunc(s.Images, func(image string) bool {
			return image == c.ToImage || strings.HasSuffix(image, "/"+c.ToImage) || strings.HasSuffix(image, ":"+c.ToImage)
		})
		commit := len(c.ToCommit) >= 7 && strings.HasPrefix(s.Commit, c.ToCommit)
		if c.ToRevision != 0 && s.Number == c.ToRevision || c.ToImage != "" && tagged || commit {
			return s.RevisionStatus, ""
		}
	}
	var known []string
	for _, s := range p.Revisions {
		known = append(known, fmt.Sprintf("%d: %s", s.Number, s.Image))
	}
	return v1beta1.RevisionStatus{}, fmt.Sprintf("no snapshot of it is kept (there are %s)", strings.Join(known, ", "))
}

func (p *plan) number(name string) int64 {
	for _, s := range p.Revisions {
		if s.Name == name {
			return s.Number
		}
	}
	return -1
}

func (p *plan) restart() (string, bool) {
	if p.underWay() != nil || p.ending() {
		return "a rollout is under way, which replaces the pods anyway", false
	}
	p.status.RestartedAt = p.Now.UTC().Format(time.RFC3339)
	return fmt.Sprintf("the pods of %s are replaced, without ever being fewer", p.Object.PrimaryName()), true
}

// forced does what a command asked for: the next step, or the promotion, as soon as there are pods
// for it.
func (p *plan) forced() bool {
	r := p.status.Rollout
	if r.Forced == "" {
		return false
	}
	next, more := p.upcoming()
	if r.Forced == forcedFull || !more {
		p.beginPromotion(byCommand)
		return true
	}
	p.size(next.Capacity)
	if !p.Canary.Ready(r.Revision.Name, r.CanaryReplicas, p.spec.Analysis.CanaryReadyPercent()) {
		p.wait("CapacityMissing", fmt.Sprintf("%s needs %s: %s", p.describe(next), podsOf(r.CanaryReplicas, "canary"), progress(p.Canary, r.CanaryReplicas)))
		return true
	}
	p.shift(next, Telling{Reason: "WeightShifted", Moment: Moved, Severity: Info, Why: byCommand})
	return true
}

// recently says that a revision was promoted within the rollback window; empty where it was not.
func (p *plan) recently(name string) string {
	w := p.spec.RollbackWindow
	served := p.status.Promotions
	if w == nil || len(served) == 0 {
		return ""
	}
	served = served[:len(served)-1] // the last one serves
	for i := 1; i <= int(w.Revisions) && i <= len(served); i++ {
		if served[len(served)-i] == name {
			return fmt.Sprintf("it served %s ago (rollbackWindow %d)", times(i), w.Revisions)
		}
	}
	return ""
}

// times counts promotions as people do.
func times(n int) string {
	if n == 1 {
		return "1 promotion"
	}
	return fmt.Sprintf("%d promotions", n)
}
