package rollout

import (
	"time"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/analysis"
)

// askMetrics puts every metric of the step and judges what has been answered. No query looks back
// beyond since, the revision's first request: a fix does not inherit its predecessor's errors.
func (p *plan) askMetrics(since time.Time, primary bool) ([]analysis.Check, bool) {
	all := true
	var checks []analysis.Check
	for i, m := range p.step().Metrics {
		exposed := p.Now.Sub(since)
		a, ok := p.poll(Question{
			Kind: AskMetric, Metric: &m, Index: i, Primary: primary,
			Since: since, Window: min(m.IntervalDuration(), exposed),
		}, p.turn())
		if !ok {
			all = false
			continue
		}
		checks = append(checks, analysis.Judge(m.Name, Threshold(m), a.Measurement))
	}
	return checks, all
}

// Threshold is what a metric is held against. A success rate has a lower bound, everything else an
// upper one unless thresholdRange says more.
func Threshold(m v1beta1.CanaryMetric) analysis.Threshold {
	t := analysis.Threshold{}
	switch m.Name {
	case v1beta1.MetricSuccessRate:
		t.Unit = " %"
	case v1beta1.MetricDuration:
		t.Unit = " ms"
	}
	if r := m.ThresholdRange; r != nil {
		t.Min, t.Max = r.Min, r.Max
		return t
	}
	limit := 0.0
	if m.Threshold != nil {
		limit = *m.Threshold
	}
	if m.Name == v1beta1.MetricSuccessRate {
		t.Min = &limit
	} else {
		t.Max = &limit
	}
	return t
}

// askShare asks how the requests were split since the weight was written. At a weight of 0 there is
// nothing to see: what rules send is no share.
func (p *plan) askShare() (analysis.Share, bool) {
	if p.status.CanaryWeight == 0 {
		return analysis.Share{Force: analysis.Unverified}, true
	}
	since := p.status.Rollout.WeightSince.Time
	a, ok := p.poll(Question{
		Kind: AskShare, Since: since.Add(propagation), Window: p.Now.Sub(since),
	}, p.turn())
	if !ok {
		return analysis.Share{}, false
	}
	share := analysis.JudgeShare(p.status.CanaryWeight, p.weightBefore(), a.Counts)
	if rules := p.status.Rollout.Rules; rules != nil && share.Force == analysis.Contradicted {
		share.Force = analysis.Unverified // matches and kept users come on top of the weight
	}
	return share, true
}

// weightBefore is the listed weight below the present one: what a gateway serves that stands still.
func (p *plan) weightBefore() v1beta1.Weight {
	before := v1beta1.Weight(0)
	for _, s := range p.listed() {
		if s.Weight < p.status.CanaryWeight {
			before = s.Weight
		}
	}
	return before
}

// propagation is the time that a route needs to reach the proxies; what was counted before it is
// over may still be the weight before.
const propagation = 2 * time.Second

// askHooks puts the rollout hooks of the present attempt and turns the answers into checks.
func (p *plan) askHooks() ([]analysis.Check, bool) {
	all := true
	var checks []analysis.Check
	for _, h := range p.hooks(v1beta1.HookRollout) {
		a, ok := p.askHook(h)
		if !ok {
			all = false
			continue
		}
		checks = append(checks, hookCheck(h.Name, a.Measurement))
	}
	return checks, all
}

func hookCheck(name string, m analysis.Measurement) analysis.Check {
	c := analysis.Check{Name: name, Evidence: m.Evidence, Threshold: "2xx"}
	switch {
	case m.Evidence != analysis.Measured: // counted and not held: the next attempt asks again
		c.Evidence, c.Verdict, c.Message = analysis.NoData, analysis.Inconclusive, "hook "+name+": "+m.Message
	case m.Value == 0:
		c.Verdict, c.Message = analysis.Failed, "hook "+name+" refused: "+m.Message
	default:
		c.Verdict = analysis.Passed
	}
	return c
}
