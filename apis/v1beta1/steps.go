package v1beta1

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// ListedStep is one step of an analysis, whichever field of the spec asks for it.
type ListedStep struct {
	Name string
	// Weight is the canary's share of the traffic.
	Weight Weight
	// Match and Mirror as in RouteRules.
	Match  []CanaryMatch
	Mirror Weight
	// Capacity is the share of the load that the canary must be able to carry in the step.
	Capacity Weight
	// Checks must pass in it, and Duration must pass.
	Checks   int32
	Duration time.Duration
	// Metrics and Webhooks that judge it: the analysis' own, then the step's.
	Metrics  []CanaryMetric
	Webhooks []CanaryWebhook
	// Gate is the type of the webhooks that are asked before it is left; empty for none.
	Gate string
	// Pause holds at its end until a command.
	Pause bool
}

// Strategy names what an analysis does, in the words that this field's users know.
type Strategy string

const (
	StrategyCanary    Strategy = "canary"
	StrategyABTesting Strategy = "ab-testing"
	StrategyBlueGreen Strategy = "blue-green"
)

// Strategy follows from what the analysis holds.
func (a *CanaryAnalysis) Strategy() Strategy {
	switch {
	case a == nil || a.Iterations == 0:
		return StrategyCanary
	case len(a.Match) > 0:
		return StrategyABTesting
	default:
		return StrategyBlueGreen
	}
}

// serviceIterations is how many checks a canary without a router has that lists weights.
const serviceIterations = 10

// Listed are the steps of the analysis, in their order. weighted is false where nothing can share the
// traffic: the canary is then tested without any of it.
func (a *CanaryAnalysis) Listed(weighted bool) []ListedStep {
	switch {
	case a == nil:
		return nil
	case !weighted:
		n := a.Iterations
		if n == 0 {
			n = serviceIterations
		}
		return a.complete([]ListedStep{{Checks: n, Capacity: FullWeight}})
	case a.Strategy() == StrategyABTesting:
		return a.complete([]ListedStep{{Match: a.Match, Checks: a.Iterations, Capacity: FullWeight}})
	case a.Strategy() == StrategyBlueGreen:
		// Whoever confirms the promotion confirms the switch: afterwards it is in force.
		steps := a.complete([]ListedStep{{Checks: a.Iterations, Mirror: a.mirrorShare(), Capacity: FullWeight}, {Weight: FullWeight}})
		steps[0].Gate, steps[1].Gate = HookConfirmPromotion, ""
		return steps
	case len(a.Steps) > 0:
		return a.complete(a.ownSteps())
	}
	var steps []ListedStep
	if share := a.mirrorShare(); share > 0 {
		steps = append(steps, ListedStep{Mirror: share})
	}
	for _, w := range a.weights() {
		steps = append(steps, ListedStep{Weight: w})
	}
	return a.complete(steps)
}

// ownSteps are spec.analysis.steps. A weight that is left out, or less than the one before, stays.
func (a *CanaryAnalysis) ownSteps() []ListedStep {
	var steps []ListedStep
	weight := Weight(0)
	for _, s := range a.Steps {
		if s.Weight != nil {
			weight = min(max(weight, *s.Weight), FullWeight)
		}
		l := ListedStep{Name: s.Name, Weight: weight, Match: s.Match, Mirror: min(s.Mirror, FullWeight),
			Duration: duration(s.Duration, 0), Metrics: s.Metrics, Webhooks: s.Webhooks, Pause: s.Pause}
		if len(s.Match) > 0 {
			l.Capacity = FullWeight // nobody knows beforehand how many requests match
		}
		steps = append(steps, l)
	}
	return steps
}

// complete adds what all steps share.
func (a *CanaryAnalysis) complete(steps []ListedStep) []ListedStep {
	for i := range steps {
		s := &steps[i]
		s.Checks = max(s.Checks, 1)
		s.Capacity = max(s.Capacity, s.Weight, s.Mirror)
		if a.SessionAffinity != nil {
			s.Capacity = FullWeight // who has met the canary stays: its share grows by itself
		}
		s.Gate = HookConfirmTrafficIncrease
		own := slices.Clone(s.Webhooks)
		if i == len(steps)-1 {
			s.Gate = HookConfirmPromotion
			for j := range own {
				if own[j].Type == HookConfirmTrafficIncrease {
					own[j].Type = HookConfirmPromotion // what follows the last step is the promotion
				}
			}
		}
		s.Metrics = slices.Concat(a.Metrics, s.Metrics)
		s.Webhooks = slices.Concat(a.Webhooks, own)
	}
	return steps
}

// ListDigest names a list of steps by where its traffic goes: an edit of anything else is no other list.
func ListDigest(steps []ListedStep) string {
	type traffic struct {
		Weight, Mirror Weight
		Match          []CanaryMatch
	}
	all := make([]traffic, 0, len(steps))
	for _, s := range steps {
		all = append(all, traffic{s.Weight, s.Mirror, s.Match})
	}
	b, err := json.Marshal(all)
	if err != nil { // strings and numbers always encode
		panic(fmt.Sprintf("encode steps: %v", err))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])[:10]
}

// weights are the canary's shares that stepWeight or stepWeights ask for.
func (a *CanaryAnalysis) weights() []Weight {
	if a.StepWeight > 0 {
		return evenSteps(a.StepWeight, a.maxWeight())
	}
	return cappedSteps(a.StepWeights)
}

func (a *CanaryAnalysis) mirrorShare() Weight {
	switch {
	case !a.Mirror:
		return 0
	case a.MirrorWeight == 0:
		return FullWeight
	default:
		return Percent(a.MirrorWeight)
	}
}
