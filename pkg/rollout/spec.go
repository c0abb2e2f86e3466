package rollout

import (
	"fmt"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// hook is a webhook with its place in the spec: names may repeat.
type hook struct {
	v1beta1.CanaryWebhook
	index int
	// said is what it answered last, if it did.
	said     string
	answered bool
}

// id names a hook among those of its canary.
func (h hook) id() string { return fmt.Sprintf("%d-%s", h.index, h.Name) }

// hooks lists the webhooks of a type that the present step has, in the order of the spec.
func (p *plan) hooks(kind string) []hook {
	var hooks []hook
	for i, h := range p.step().Webhooks {
		if h.HookType() == kind {
			hooks = append(hooks, hook{CanaryWebhook: h, index: i})
		}
	}
	return hooks
}

// askHook asks a hook once for each attempt.
func (p *plan) askHook(h hook) (Answer, bool) {
	q := h.question()
	q.Key = p.key(q, 0)
	return p.ask(q)
}

func (h *hook) question() Question {
	return Question{Kind: AskHook, Hook: &h.CanaryWebhook, Index: h.index}
}

// askGate asks a hook again and again, as long as its step lasts.
func (p *plan) askGate(h hook) (Answer, bool) {
	q := h.question()
	q.gate = true
	return p.poll(q, p.gateTurn())
}

// need is how many canary pods a share of the load takes. Where their number is given, all of them do.
func (p *plan) need(weight v1beta1.Weight) int32 {
	primary := p.status.Rollout.PrimaryReplicas
	if p.Primary.Given {
		return primary
	}
	return capacity(primary, weight)
}

// capacity is how many pods carry a share of the load as well as the primary's pods carry all of the traffic.
func capacity(primary int32, weight v1beta1.Weight) int32 {
	return max((primary*int32(weight)+999)/1000, 1)
}
