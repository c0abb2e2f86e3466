package rollout

import (
	"fmt"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// lost is true where the rollout is about nothing else: users are sent to a canary that has no ready pod,
// and the primary could answer them. A second look lets a flap of the readiness probes pass; metrics would
// need an interval to see what is known already.
func (p *plan) lost() bool {
	r := p.status.Rollout
	if r == nil || r.EndedAt != nil {
		return false
	}
	if !p.carries() || p.Canary.Endpoints > 0 || !p.Primary.Answers() {
		if r.LostAt == nil {
			return false
		}
		r.LostAt = nil
		p.touch()
		return true
	}
	if r.LostAt == nil {
		r.LostAt = new(micro(p.Now))
		p.touch()
	}
	why := fmt.Sprintf("%s has had no ready pod since %s with %s on it: %s", p.Object.CanaryName(), clock(r.LostAt.Time), p.share(), progress(p.Canary, r.CanaryReplicas))
	if again := r.LostAt.Add(recheck); p.Now.Before(again) && r.Step != v1beta1.StepShiftingBack {
		p.wait("CanaryLost", why)
		p.wakeAt(again)
		return true
	}
	r.LostAt = nil
	p.leaveCanary(why)
	return true
}

// leaveCanary takes the traffic off a canary that cannot answer it.
func (p *plan) leaveCanary(why string) {
	r := p.status.Rollout
	if r.Outcome == "" && r.Step != v1beta1.StepCopying {
		p.fail("CanaryLost", why)
		return
	}
	p.status.CanaryWeight, r.Rules, r.NextCheckAt = 0, nil, nil
	if r.Outcome == "" {
		p.restoreFor(v1beta1.OutcomeFailed, "CanaryLost", why)
		return
	}
	p.move(Telling{Reason: "CanaryLost", Moment: Held, Severity: Warning, What: why,
		Next: fmt.Sprintf("All traffic goes to %s, %d of %s ready", p.Object.PrimaryName(), p.Primary.Available, podsOf(p.Primary.Replicas, ""))})
}

// carries is true where users' requests go to the canary. Nobody waits for the answers to copies.
func (p *plan) carries() bool {
	r := p.status.Rollout
	return p.status.CanaryWeight > 0 || r.Rules != nil && len(r.Rules.Match) > 0
}

// share says which requests those are.
func (p *plan) share() string {
	if r := p.status.Rollout; r.Rules != nil && len(r.Rules.Match) > 0 && p.status.CanaryWeight == 0 {
		return "the requests that match"
	}
	return fmt.Sprintf("%s %% of the traffic", p.status.CanaryWeight)
}
