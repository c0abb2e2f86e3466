package rollout

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// listed are the steps of the analysis. Where nothing copies requests, a step before the weights that has
// nothing but copies is left out: it would bring no evidence, and the rollout would end for that.
func (p *plan) listed() []v1beta1.ListedStep {
	a := p.spec.Analysis
	if a != nil && p.Route.NoCopies && len(a.Steps) == 0 && a.Strategy() == v1beta1.StrategyCanary {
		without := *a
		without.Mirror = false
		a = &without
	}
	return a.Listed(p.Route.Weighted)
}

// step is the listed step that the rollout is in. Before the first one, and where an edit has taken
// it away, only what all steps share is known.
func (p *plan) step() v1beta1.ListedStep {
	all := p.listed()
	if i := int(p.status.Rollout.WeightIndex) - 1; i >= 0 && i < len(all) {
		return all[i]
	}
	shared := v1beta1.ListedStep{Checks: 1, Gate: v1beta1.HookConfirmTrafficIncrease}
	if a := p.spec.Analysis; a != nil {
		shared.Metrics, shared.Webhooks = a.Metrics, a.Webhooks
	}
	return shared
}

// upcoming is the listed step after the present one; false at the end of the list.
func (p *plan) upcoming() (v1beta1.ListedStep, bool) {
	all := p.listed()
	if i := int(p.status.Rollout.WeightIndex); i < len(all) {
		return all[i], true
	}
	return v1beta1.ListedStep{}, false
}

// follow goes on in a list that was edited, at the last step whose weight is not above the present
// one: the next weight that is taken is the next one listed above it, and none is jumped to.
func (p *plan) follow() {
	r := p.status.Rollout
	all := p.listed()
	digest := v1beta1.ListDigest(all)
	if r.Plan == digest {
		return
	}
	begun, known := r.Step == v1beta1.StepAnalysing, r.Plan != ""
	r.Plan, r.Weights, r.Passed, r.WeightIndex = digest, int32(len(all)), 0, 0
	for begun && int(r.WeightIndex) < len(all) && all[r.WeightIndex].Weight <= p.status.CanaryWeight {
		r.WeightIndex++
	}
	if begun {
		r.Rules = p.rules(p.step())
	}
	p.touch()
	if begun && known {
		next := "Promotion follows when the present step has passed"
		if s, ok := p.upcoming(); ok {
			next = "The next step: " + p.describe(s)
		}
		p.move(Telling{Reason: "StepsEdited", Moment: Moved, Severity: Info,
			What: fmt.Sprintf("the steps were edited: %d are listed, and the rollout is in step %d at %s %%", r.Weights, r.WeightIndex, p.status.CanaryWeight),
			Next: next})
	}
}

// rules are what the route does in a step beside its weight; nil for nothing.
func (p *plan) rules(s v1beta1.ListedStep) *v1beta1.RouteRules {
	rules := v1beta1.RouteRules{Match: s.Match, Mirror: s.Mirror}
	if a := p.spec.Analysis; a != nil && a.SessionAffinity != nil && s.Weight > 0 {
		rules.Affinity = &v1beta1.Affinity{SessionAffinity: *a.SessionAffinity, CanaryValue: p.status.SessionAffinityCookie}
		if a.SessionAffinity.PrimaryCookieName != "" {
			rules.Affinity.PrimaryValue = p.status.PrimarySessionAffinityCookie
		}
	}
	if rules.Empty() {
		return nil
	}
	return &rules
}

// bakeCookies gives the rollout cookies of its own: whoever was kept by the one before is let go.
func (p *plan) bakeCookies() {
	if p.spec.Analysis == nil || p.spec.Analysis.SessionAffinity == nil {
		return
	}
	s := p.status
	s.PreviousSessionAffinityCookie = s.SessionAffinityCookie
	s.SessionAffinityCookie = p.cookie(fmt.Sprintf("%d/%s", s.Rollout.Number, s.Rollout.Revision.Name))
	s.PrimarySessionAffinityCookie = p.cookie(s.LastPromotedSpec)
}

// cookie is a value that is the same whenever it is made for the same thing of the same canary.
func (p *plan) cookie(of string) string {
	sum := sha256.Sum256([]byte(string(p.Object.UID) + "/" + of))
	return hex.EncodeToString(sum[:])[:16]
}

// digest names rules; empty for none.
func digest(r *v1beta1.RouteRules) string {
	if r == nil {
		return ""
	}
	return r.Digest()
}

// describe says where a step sends traffic.
func (p *plan) describe(s v1beta1.ListedStep) string {
	image := p.status.Rollout.Revision.Image
	var where []string
	switch {
	case len(s.Match) > 0 && s.Weight > 0:
		where = append(where, fmt.Sprintf("requests that match and %s %% of the rest to %s", s.Weight, image))
	case len(s.Match) > 0:
		where = append(where, "requests that match to "+image)
	case s.Weight > 0:
		where = append(where, fmt.Sprintf("%s %% of the traffic to %s", s.Weight, image))
	case s.Mirror == 0:
		where = append(where, image+" is tested without traffic")
	}
	if s.Mirror > 0 {
		where = append(where, fmt.Sprintf("copies of %s %% of the requests to %s", s.Mirror, image))
	}
	text := strings.Join(where, ", ")
	if s.Name != "" {
		text = s.Name + ": " + text
	}
	return text
}
