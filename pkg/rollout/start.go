package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/analysis"
)

// start waits at weight 0 until the canary's pods of the revision are ready, asks the pre-rollout
// hooks, and takes the first weight.
func (p *plan) start() {
	if p.abandoned() || p.rollbackAsked() {
		return
	}
	r := p.status.Rollout
	p.follow()
	first, _ := p.upcoming()
	if p.Route.Problem != nil {
		p.stall(*p.Route.Problem)
	}
	p.size(first.Capacity)
	if !p.Canary.Ready(r.Revision.Name, r.CanaryReplicas, p.spec.Analysis.CanaryReadyPercent()) {
		p.canaryStarting()
		return
	}
	if p.waiting.stalled {
		return
	}
	switch {
	case p.spec.SkipAnalysis:
		p.beginPromotion("the analysis is skipped (spec.skipAnalysis)")
		return
	case r.Skipped != "":
		p.beginPromotion("the analysis is skipped: " + r.Skipped)
		return
	case p.forced():
		return
	}
	if !p.hooksPassed(v1beta1.HookPreRollout) {
		return
	}
	if (first.Weight > 0 || p.status.PausedAt != nil) && !p.gateOpen(v1beta1.HookConfirmTrafficIncrease, false) {
		return
	}
	p.shift(first, Telling{Reason: "WeightShifted", Moment: Moved, Severity: Info,
		Why: fmt.Sprintf("%d of %s ready", p.Canary.Available, podsOf(p.Canary.whole(r.CanaryReplicas), "canary"))})
}

func (p *plan) canaryStarting() {
	r := p.status.Rollout
	state := progress(p.Canary, r.CanaryReplicas)
	if overdue(p.Now, r.Until) && r.Gate != nil {
		// They were ready and a gate kept the rollout waiting: they have their time once more.
		r.Gate, r.Since = nil, micro(p.Now)
		r.Until = new(micro(p.Now.Add(p.Object.ProgressDeadline())))
		p.touch()
		return
	}
	if overdue(p.Now, r.Until) {
		p.fail("CanaryNotReady", fmt.Sprintf("the canary's pods did not become ready in %s: %s",
			span(r.Until.Sub(r.Since.Time)), state))
		return
	}
	p.trouble("StartingCanary", p.Object.CanaryName(), p.Canary)
	p.wakeAt(deadlineOf(r.Until))
}

// hooksPassed asks the hooks of a type at weight 0, each until it has passed once. A refusal is a
// failed check; after an interval the hook is asked again.
func (p *plan) hooksPassed(kind string) bool {
	r := p.status.Rollout
	var refused, silent []string
	open := false
	for _, h := range p.hooks(kind) {
		if slices.Contains(r.PassedHooks, h.id()) {
			continue
		}
		a, ok := p.askHook(h)
		switch {
		case !ok:
			open = true
		case a.Measurement.Evidence != analysis.Measured:
			silent = append(silent, fmt.Sprintf("%s: %s", h.Name, a.Measurement.Message))
		case a.Measurement.Value == 0:
			refused = append(refused, fmt.Sprintf("%s: %s", h.Name, a.Measurement.Message))
		}
	}
	switch {
	case open:
		return false
	case len(refused)+len(silent) == 0:
		return true
	}
	p.rememberPassed(kind)
	p.retryHooks(kind, refused, silent)
	return false
}

// rememberPassed keeps the hooks that have passed, so that a later attempt does not ask them again.
func (p *plan) rememberPassed(kind string) {
	r := p.status.Rollout
	for _, h := range p.hooks(kind) {
		a := p.Answers[p.key(h.question(), 0)].Measurement
		if a.Evidence == analysis.Measured && a.Value != 0 && !slices.Contains(r.PassedHooks, h.id()) {
			r.PassedHooks = append(r.PassedHooks, h.id())
		}
	}
}

func (p *plan) retryHooks(kind string, refused, silent []string) {
	r := p.status.Rollout
	if r.NextCheckAt == nil {
		at := micro(p.Now.Add(p.spec.Analysis.IntervalDuration()))
		r.NextCheckAt = &at
		p.count(len(refused) > 0, kind+" hook", strings.Join(append(refused, silent...), "; "), "Asked again "+clock(at.Time))
		return
	}
	if p.Now.Before(r.NextCheckAt.Time) {
		p.wait("HookRefused", strings.Join(append(refused, silent...), "; "))
		p.wakeAt(r.NextCheckAt.Time)
		return
	}
	r.NextCheckAt = nil
	r.Attempt++
	p.touch()
}

// count books one check that did not pass: failed, or without evidence. At the limit the rollout ends.
func (p *plan) count(failed bool, what, why, next string) {
	if failed {
		p.status.FailedChecks++
		limit := p.spec.Analysis.MaxFailedChecks()
		if p.status.FailedChecks >= limit {
			p.fail("ChecksFailed", fmt.Sprintf("%s (failed check %d of %d)", why, p.status.FailedChecks, limit))
			return
		}
		p.move(Telling{Reason: "CheckFailed", Moment: Held, Severity: Warning, What: why,
			Why:  fmt.Sprintf("Failed check %d at weight %s; the %s rolls back", p.status.FailedChecks, p.status.CanaryWeight, ordinal(limit)),
			Next: next})
		return
	}
	p.status.InconclusiveChecks++
	limit := p.spec.Analysis.InconclusiveChecks()
	if p.status.InconclusiveChecks >= limit {
		p.fail("NoEvidence", fmt.Sprintf("no evidence in %d of at most %d checks: %s", p.status.InconclusiveChecks, limit, why))
		return
	}
	p.move(Telling{Reason: "Inconclusive", Moment: Held, Severity: Warning,
		What: fmt.Sprintf("no evidence from the %s: %s", what, why),
		Why:  fmt.Sprintf("Inconclusive check %d at weight %s; the %s ends the rollout", p.status.InconclusiveChecks, p.status.CanaryWeight, ordinal(limit)),
		Next: next})
}

// abandoned ends the run when the template is no longer the revision under analysis.
func (p *plan) abandoned() bool {
	r, t := p.status.Rollout, p.Target.Revision
	if r.Pinned && t.Name == p.status.Rejected {
		return false // a command chose the revision over what the template holds
	}
	switch t.Name {
	case "", r.Revision.Name:
		return false
	case p.status.LastPromotedSpec:
		p.end(v1beta1.OutcomeReverted, "Reverted", fmt.Sprintf("%s was put back to %s, which serves", p.spec.TargetRef.Name, t.Image))
	default:
		p.end(v1beta1.OutcomeSuperseded, "Superseded", p.superseded())
	}
	return true
}

// superseded says what came in place of the revision under analysis. Where that has the same image,
// the images do not tell.
func (p *plan) superseded() string {
	old, t := p.status.Rollout.Revision.Image, p.Target
	switch {
	case t.Revision.Image != old:
		return fmt.Sprintf("%s replaces %s before it was promoted", t.Revision.Image, old)
	case t.Change != "":
		return fmt.Sprintf("%s before %s was promoted", t.Change, old)
	default:
		return fmt.Sprintf("%s changed again before %s was promoted", p.spec.TargetRef.Name, old)
	}
}
