package rollout

import (
	"fmt"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// hook is a webhook with its place in the spec: names may repeat.
type hook struct {
	v1beta1.CanaryWebhook
	index int
}

// id names a hook among those of its canary.
func (h hook) id() string { return fmt.Sprintf("%d-%s", h.index, h.Name) }

// hooks lists the webhooks of a type, in the order of the spec.
func (p *plan) hooks(kind string) []hook {
	if p.spec.Analysis == nil {
		return nil
	}
	var hooks []hook
	for i, h := range p.spec.Analysis.Webhooks {
		if h.HookType() == kind {
			hooks = append(hooks, hook{h, i})
		}
	}
	return hooks
}

// askHook asks a hook once for each attempt.
func (p *plan) askHook(h hook) (Answer, bool) {
	return p.ask(Question{Key: p.key(AskHook, h.index, 0), Kind: AskHook, Hook: &h.CanaryWebhook, Index: h.index})
}

func (p *plan) metrics() []v1beta1.CanaryMetric {
	if p.spec.Analysis == nil {
		return nil
	}
	return p.spec.Analysis.Metrics
}

// capacity is how many pods carry a weight as well as the primary's pods carry all of the traffic.
func capacity(primary int32, weight v1beta1.Weight) int32 {
	return max((primary*int32(weight)+999)/1000, 1)
}

// listed are the steps of the analysis.
func (p *plan) listed() []v1beta1.ListedStep { return p.spec.Analysis.Listed(p.Route.Weighted) }
