package rollout

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// suspended holds everything while spec.suspend is set. The clocks of the run stand still: what
// was left of an interval or a deadline is left of it afterwards.
func (p *plan) suspended() bool {
	at := p.status.SuspendedAt
	switch {
	case p.spec.Suspend && at == nil:
		now := micro(p.Now)
		p.status.SuspendedAt = &now
		p.move(Telling{Reason: "Suspended", Moment: Held, Severity: Warning,
			What: "suspended (spec.suspend): nothing is moved, judged or repaired",
			Next: "Set spec.suspend to false to go on"})
	case !p.spec.Suspend && at != nil:
		p.shiftClocks(p.Now.Sub(at.Time))
		p.status.SuspendedAt = nil
		p.move(Telling{Reason: "Resumed", Moment: Moved, Severity: Info, What: "resumed"})
		p.repair() // what was edited meanwhile is set back with this commit
	}
	if p.spec.Suspend {
		p.waiting = hold{reason: "Suspended", message: "suspended (spec.suspend): nothing is moved, judged or repaired. Set it to false to go on"}
		return true
	}
	return p.moved
}

func (p *plan) shiftClocks(by time.Duration) {
	if in := p.status.Initialization; in != nil {
		in.Since = micro(in.Since.Add(by))
		later(in.Until, by)
	}
	if r := p.status.Rollout; r != nil && r.EndedAt == nil {
		r.Since = micro(r.Since.Add(by))
		later(r.Until, by)
		later(r.NextCheckAt, by)
		later(r.LostAt, by)
	}
}

func later(t *metav1.MicroTime, by time.Duration) {
	if t != nil {
		*t = micro(t.Add(by))
	}
}
