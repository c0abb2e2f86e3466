package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/analysis"
)

// gatePoll is how often a gate that has not passed is asked again.
const gatePoll = 5 * time.Second

// pauseGate is the gate of a step that waits for a command.
const pauseGate = "pause"

// gateOpen asks the gates of a kind, each until it has passed once, and a pause. It tells once what is
// waited for, again where reminders are asked for, and takes the outcome that was chosen when a gate's
// time is up. A rollout that this ends is not open.
func (p *plan) gateOpen(kind string, pause bool) bool {
	r := p.status.Rollout
	closed := p.closedGates(kind)
	if pause || p.status.PausedAt != nil {
		closed = append(closed, hook{CanaryWebhook: v1beta1.CanaryWebhook{Name: pauseGate}, index: -1})
	}
	if len(closed) == 0 {
		if r.Gate != nil {
			r.Gate = nil
			p.touch()
		}
		return true
	}
	p.waitAt(closed[0])
	return false
}

// closedGates are the gates of a kind that have not passed yet, asked anew. One that passes is not
// asked again in this step.
func (p *plan) closedGates(kind string) []hook {
	r := p.status.Rollout
	var closed []hook
	for _, h := range p.hooks(kind) {
		if slices.Contains(r.PassedHooks, h.id()) {
			continue
		}
		a, ok := p.askGate(h)
		if ok && a.Measurement.Evidence == analysis.Measured && a.Measurement.Value != 0 {
			r.PassedHooks = append(r.PassedHooks, h.id())
			p.move(Telling{Reason: "GatePassed", Moment: Moved, Severity: Info, What: fmt.Sprintf("%s passed (%s)", h.Name, kind)})
			continue
		}
		h.said = a.Measurement.Message
		h.answered = ok
		closed = append(closed, h)
	}
	return closed
}

// gateTurn counts how often the gates of the present step have been put.
func (p *plan) gateTurn() int64 { return int64(p.Now.Sub(p.status.Rollout.Since.Time) / gatePoll) }

// waitAt keeps the rollout at a gate.
func (p *plan) waitAt(h hook) {
	r := p.status.Rollout
	p.wakeAt(r.Since.Add(time.Duration(p.gateTurn()+1) * gatePoll))
	if r.Gate == nil || r.Gate.Name != h.Name {
		r.Gate = &v1beta1.GateStatus{Name: h.Name, Type: h.Type, Since: micro(p.Now)}
		p.touch()
	}
	if r.Gate.ToldAt == nil && h.Name != pauseGate && !h.answered {
		return // its first answer is on its way
	}
	waited := p.Now.Sub(r.Gate.Since.Time)
	if limit := h.DeadlineDuration(); limit > 0 {
		p.wakeAt(r.Gate.Since.Add(limit))
		if waited >= limit {
			p.gateOverdue(h, limit)
			return
		}
	}
	p.wait("WaitingForApproval", p.gateText(h))
	p.tellGate(h)
}

// tellGate tells of a gate once, and again after each interval that the gate asks to be reminded of.
func (p *plan) tellGate(h hook) {
	g := p.status.Rollout.Gate
	reason := "WaitingForApproval"
	if g.ToldAt != nil {
		every := h.RemindAfterDuration()
		if every == 0 {
			return
		}
		if at := g.ToldAt.Add(every); p.Now.Before(at) {
			p.wakeAt(at)
			return
		}
		reason = "StillWaiting"
	}
	now := micro(p.Now)
	g.ToldAt, g.Message = &now, clip(h.said)
	p.move(Telling{Reason: reason, Moment: Held, Severity: Warning, Muted: h.MuteAlert, What: p.gateText(h), Next: p.gateNext(h)})
}

func (p *plan) gateText(h hook) string {
	if h.Name == pauseGate {
		return fmt.Sprintf("%s is paused at step %d", p.status.Rollout.Revision.Image, p.status.Rollout.WeightIndex)
	}
	text := fmt.Sprintf("%s waits for %s (%s)", p.status.Rollout.Revision.Image, h.Name, h.Type)
	if h.said != "" {
		text += ": " + h.said
	}
	return text
}

func (p *plan) gateNext(h hook) string {
	if h.Name == pauseGate {
		verb := v1beta1.VerbPromote
		if p.status.PausedAt != nil {
			verb = v1beta1.VerbResume
		}
		return fmt.Sprintf("kubectl serin %s %s goes on, kubectl serin abort %s rolls back", verb, p.Object.Name, p.Object.Name)
	}
	next := fmt.Sprintf("It is asked every %s until it says yes", span(gatePoll))
	if limit := h.DeadlineDuration(); limit > 0 {
		what := "the rollout is rolled back"
		if h.OnDeadline == v1beta1.OnDeadlineProceed {
			what = "it counts as open"
		}
		next += fmt.Sprintf(", and at %s %s", clock(p.status.Rollout.Gate.Since.Add(limit)), what)
	}
	return next
}

// gateOverdue takes the outcome that was chosen for a gate that says nothing in time.
func (p *plan) gateOverdue(h hook, limit time.Duration) {
	r := p.status.Rollout
	why := fmt.Sprintf("%s (%s) did not pass in %s", h.Name, h.Type, span(limit))
	if h.OnDeadline == v1beta1.OnDeadlineProceed {
		r.PassedHooks = append(r.PassedHooks, h.id())
		p.move(Telling{Reason: "GateSkipped", Moment: Held, Severity: Warning, What: why, Why: "Its onDeadline is proceed: it counts as open"})
		return
	}
	p.fail("GateTimedOut", why)
}

// rollbackAsked ends the rollout when a hook of type rollback says yes. They are asked all along.
func (p *plan) rollbackAsked() bool {
	for _, h := range p.hooks(v1beta1.HookRollback) {
		p.wakeAt(p.status.Rollout.Since.Add(time.Duration(p.gateTurn()+1) * gatePoll))
		a, ok := p.askGate(h)
		if ok && a.Measurement.Evidence == analysis.Measured && a.Measurement.Value != 0 {
			why := fmt.Sprintf("hook %s (rollback) asked for it", h.Name)
			if p.status.Rollout.Step == v1beta1.StepBaking {
				p.unbake(v1beta1.OutcomeFailed, "RollbackRequested", why)
			} else {
				p.fail("RollbackRequested", why)
			}
			return true
		}
	}
	return false
}

// confirm waits for the gates before a rollout. Nothing has been started for it.
func (p *plan) confirm() {
	if p.abandoned() || p.rollbackAsked() {
		return
	}
	r := p.status.Rollout
	if r.Forced != "" || p.gateOpen(v1beta1.HookConfirmRollout, false) {
		if r.Forced == forcedStep {
			r.Forced = ""
		}
		p.beginStarting(Telling{Reason: "Confirmed", Moment: Moved, Severity: Info,
			What: p.status.Rollout.Revision.Image + " may start"})
	}
}

// lastPassed is true where the latest check has passed: a gate that opens after a failed one waits for
// the next.
func (p *plan) lastPassed() bool {
	return !slices.ContainsFunc(p.status.Checks, func(c v1beta1.CheckStatus) bool { return c.Verdict != v1beta1.VerdictPassed })
}
