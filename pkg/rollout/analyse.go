package rollout

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/analysis"
)

// recheck is how soon a question about the world around a rollout is asked again.
const recheck = 2 * time.Second

// analyse holds a weight for one interval and judges it at the end. The rollout hooks are asked at
// its beginning, so that a load test makes the traffic that the metrics are about.
func (p *plan) analyse() {
	if p.abandoned() || p.rollbackAsked() {
		return
	}
	if p.follow(); p.moved {
		return
	}
	r := p.status.Rollout
	hooks, hooksIn := p.askHooks()
	if held := p.routeHeld(); held {
		return
	}
	if p.forced() {
		return
	}
	if r.Gate != nil && p.leaveStep("") {
		return
	}
	if p.Now.Before(r.NextCheckAt.Time) {
		p.wakeAt(r.NextCheckAt.Time)
		return
	}
	share, shareIn := p.askShare()
	checks, checksIn := p.askMetrics(r.ExposedSince.Time, false)
	if !hooksIn || !checksIn || !shareIn {
		return
	}
	if p.blindAgain(share) {
		p.wakeAt(r.NextCheckAt.Add(time.Duration(p.turn()+1) * recheck))
		return
	}
	p.judge(append(hooks, checks...), share)
}

// blindLimit is how long a check waits for the samples that tell whether its weight is in force.
const blindLimit = 15 * time.Second

// blindAgain is true where a weight would pass without anybody having seen that the proxies follow,
// although they count and the next samples will tell. Where the counters have not been sampled since
// the weight was set, every weight waits for that; where the counts are there and say too little, only
// one in a row is taken on trust, and none after one that was seen not to be taken.
func (p *plan) blindAgain(share analysis.Share) bool {
	r := p.status.Rollout
	doubtful := p.status.SeenWeight == unverified || r.Held == "WeightNotTaken"
	unsampled := share.Requests == 0
	return share.Soon && (unsampled || doubtful) && !p.Route.Confirmed && p.Now.Sub(r.NextCheckAt.Time) < blindLimit
}

// unverified is what SeenWeight shows where the requests could not be counted.
const unverified = "unverified"

// routeHeld is true while the route cannot carry the weight; the interval begins anew after it.
func (p *plan) routeHeld() bool {
	r := p.status.Rollout
	switch {
	case p.Route.Rejected != "":
		p.stall(p.routeRejected("the route"))
	case p.Route.Problem != nil:
		p.stall(*p.Route.Problem)
	case p.routeHolds(p.status.CanaryWeight):
		return false
	}
	if overdue(p.Now, r.Until) {
		why := p.waiting
		if why.reason == "" {
			why = hold{reason: "RouteNotWritten", message: "the route does not stand at it"}
		}
		p.fail(why.reason, fmt.Sprintf("weight %s %% could not be taken in %s: %s", p.status.CanaryWeight, span(r.Until.Sub(r.Since.Time)), why.message))
		return true
	}
	p.wakeAt(deadlineOf(r.Until))
	if at := p.Now.Add(p.spec.Analysis.IntervalDuration()); p.waiting.stalled && r.NextCheckAt.Time.Before(p.Now) {
		r.NextCheckAt = new(micro(at))
		p.touch()
	}
	return true
}

// judge takes the answers of one check to a decision.
func (p *plan) judge(checks []analysis.Check, share analysis.Share) {
	p.record(checks, share)
	failed, open, down := sort(checks)
	switch {
	case len(failed) > 0:
		p.again(func(next string) { p.count(true, "check", messages(failed), next) })
	case share.Force == analysis.Contradicted && !p.Route.Confirmed:
		p.holdWeight(share)
	case len(down) > 0:
		p.holdCheck("ProviderUnavailable", messages(down))
	case len(open) > 0:
		p.again(func(next string) { p.count(false, "checks", messages(open), next) })
	default:
		p.advance(checks, share)
	}
}

// advance books a passed check, and leaves the step when it has had all of its checks and its time.
func (p *plan) advance(checks []analysis.Check, share analysis.Share) {
	r := p.status.Rollout
	why := messages(checks)
	if why == "" {
		why = "no metric is configured"
	}
	if share.Message != "" {
		why += "; " + share.Message
	}
	step := p.step()
	r.Passed = min(r.Passed+1, step.Checks) // it may be judged again: the last one keeps its step while the next lacks pods
	if step.Checks > 1 {
		p.status.Iterations = r.Passed
	}
	if r.Passed < step.Checks || p.Now.Before(r.StepSince.Add(step.Duration)) {
		p.again(func(next string) {
			if p.touch(); step.Checks > 1 {
				p.move(Telling{Reason: "CheckPassed", Moment: Moved, Severity: Info,
					What: fmt.Sprintf("check %d of %d passed", r.Passed, step.Checks), Why: why, Next: next})
			}
		})
		return
	}
	if !p.leaveStep(why) && r.Outcome == "" {
		p.again(func(string) { p.touch() }) // judged on while it waits
	}
}

// leaveStep goes on from a step that has passed, once its gates say yes: to the next one, or at the end
// of the list to the promotion. It is false while something keeps it there.
func (p *plan) leaveStep(why string) bool {
	r := p.status.Rollout
	step := p.step()
	if !p.gateOpen(step.Gate, step.Pause) {
		if step.Gate == v1beta1.HookConfirmPromotion && r.Gate != nil && r.Outcome == "" {
			p.status.Phase = v1beta1.PhaseWaitingPromotion
		}
		return r.Outcome != ""
	}
	if !p.lastPassed() {
		return false
	}
	if why == "" {
		why = "its gates have passed"
	}
	p.status.Phase = v1beta1.PhaseProgressing
	next, more := p.upcoming()
	if !more {
		p.beginPromotion(why)
		return true
	}
	p.size(next.Capacity)
	if !p.Canary.Ready(r.Revision.Name, r.CanaryReplicas, p.spec.Analysis.CanaryReadyPercent()) {
		p.holdCheck("CapacityMissing", fmt.Sprintf("%s needs %s: %s", p.describe(next), podsOf(r.CanaryReplicas, "canary"), progress(p.Canary, r.CanaryReplicas)))
		return true
	}
	p.shift(next, Telling{Reason: "WeightShifted", Moment: Moved, Severity: Info, Why: why})
	return true
}

// shift enters a listed step that the canary has the capacity for, and sizes it ahead for the one
// after. Weight and rules change together.
func (p *plan) shift(step v1beta1.ListedStep, t Telling) {
	r := p.status.Rollout
	t.What = fmt.Sprintf("%s (step %d of %d)", p.describe(step), r.WeightIndex+1, r.Weights)
	p.enter(v1beta1.StepAnalysing, p.Object.ProgressDeadline()+p.spec.Analysis.IntervalDuration())
	p.status.CanaryWeight = step.Weight
	r.Rules = p.rules(step)
	r.WeightIndex++
	r.Passed, r.Forced = 0, ""
	now := micro(p.Now)
	r.WeightSince, r.StepSince = &now, &now
	if r.ExposedSince == nil {
		r.ExposedSince = &now
	}
	r.PrimaryReplicas = max(r.PrimaryReplicas, p.Primary.Replicas)
	if next, ok := p.upcoming(); ok {
		r.CanaryReplicas = max(r.CanaryReplicas, p.need(next.Capacity))
	}
	r.NextCheckAt = new(micro(p.Now.Add(p.spec.Analysis.IntervalDuration())))
	t.Next = "Next check " + clock(r.NextCheckAt.Time)
	p.move(t)
}

// size asks for the pods that a weight needs. Mostly they were asked for with the weight before; an
// edit of the steps or a primary that has grown asks for more.
func (p *plan) size(weight v1beta1.Weight) {
	r := p.status.Rollout
	if need := p.need(weight); need > r.CanaryReplicas {
		r.CanaryReplicas = need
		p.touch()
	}
}

// again counts a check that did not pass and gives the weight another interval.
func (p *plan) again(count func(next string)) {
	r := p.status.Rollout
	r.NextCheckAt = new(micro(p.Now.Add(p.spec.Analysis.IntervalDuration())))
	r.Until = new(micro(p.Now.Add(p.Object.ProgressDeadline() + p.spec.Analysis.IntervalDuration())))
	r.Attempt++
	r.Held = ""
	count("Next check " + clock(r.NextCheckAt.Time))
}

// holdCheck leaves a check without a verdict: nothing is counted, the questions are put again with
// every turn, and the deadline of the step bounds it.
func (p *plan) holdCheck(reason, message string) {
	r := p.status.Rollout
	if overdue(p.Now, r.Until) {
		p.fail(reason, fmt.Sprintf("held for %s at weight %s: %s", span(r.Until.Sub(r.Since.Time)), p.status.CanaryWeight, message))
		return
	}
	p.wait(reason, message)
	p.wakeAt(r.NextCheckAt.Add(time.Duration(p.turn()+1) * recheck))
	if r.Held != reason {
		r.Held = reason
		p.move(Telling{Reason: reason, Moment: Held, Severity: Warning, What: message,
			Next: fmt.Sprintf("Nothing is counted; the weight stays at %s, until %s at most", p.status.CanaryWeight, clock(r.Until.Time))})
	}
}

// turn counts how often the questions of the present check have been put.
func (p *plan) turn() int64 { return int64(p.Now.Sub(p.status.Rollout.NextCheckAt.Time) / recheck) }

// holdWeight holds a weight that the proxies do not follow. The step was not taken, so nothing is
// counted and both the interval and the count of requests begin anew.
func (p *plan) holdWeight(share analysis.Share) {
	p.holdCheck("WeightNotTaken", "the gateway does not follow: "+share.Message)
	if r := p.status.Rollout; r.Outcome == "" {
		now := micro(p.Now)
		r.WeightSince = &now
		r.Attempt++
		p.touch()
		r.NextCheckAt = new(micro(p.Now.Add(p.spec.Analysis.IntervalDuration())))
	}
}

// record keeps the latest checks for status, conditions and notifications.
func (p *plan) record(checks []analysis.Check, share analysis.Share) {
	p.status.Checks = p.status.Checks[:0]
	for _, c := range checks {
		p.status.Checks = append(p.status.Checks, v1beta1.CheckStatus{
			Name: c.Name, Verdict: v1beta1.Verdict(c.Verdict), Value: c.Value, Threshold: c.Threshold,
			Samples: c.Requests, Message: clip(c.Message), At: metav1.NewTime(p.Now.Truncate(time.Second)),
		})
	}
	p.status.SeenWeight = unverified
	if p.status.CanaryWeight == 0 {
		p.status.SeenWeight = ""
	}
	if share.Force != analysis.Unverified {
		p.status.SeenWeight = fmt.Sprintf("%.1f", share.Percent)
	}
}

// sort parts checks that failed, that had no evidence, and whose provider could not be asked.
func sort(checks []analysis.Check) (failed, open, down []analysis.Check) {
	for _, c := range checks {
		switch {
		case c.Verdict == analysis.Failed:
			failed = append(failed, c)
		case c.Evidence == analysis.Unavailable:
			down = append(down, c)
		case c.Verdict == analysis.Inconclusive:
			open = append(open, c)
		}
	}
	return failed, open, down
}

func messages(checks []analysis.Check) string {
	var s []string
	for _, c := range checks {
		if c.Message != "" {
			s = append(s, c.Message)
		}
	}
	return strings.Join(s, ", ")
}
