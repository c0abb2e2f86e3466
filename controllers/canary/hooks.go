package canary

import (
	"context"
	"fmt"
	"maps"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/pkg/rollout"
	"github.com/serin-dev/serin/pkg/webhook"
)

// hooks calls webhooks with what their Secrets hold. Secrets are read by name when a hook is called,
// and never listed or kept.
type hooks struct {
	caller  *webhook.Caller
	secrets client.Reader
}

func (h hooks) call(ctx context.Context, c *v1beta1.Canary, hook v1beta1.CanaryWebhook, p webhook.Payload, key string) (webhook.Reply, error) {
	r := webhook.Request{Hook: hook, Payload: p, Key: key}
	if hook.SecretRef != nil {
		name := client.ObjectKey{Namespace: c.Namespace, Name: hook.SecretRef.Name}
		secret, err := readSecret(ctx, h.secrets, name)
		if err != nil {
			return webhook.Reply{}, fmt.Errorf("webhook %s: %w", hook.Name, err)
		}
		r.Secret = secret
	}
	return h.caller.Call(ctx, r)
}

// payload is what every hook is sent: the canary as it stands.
func payload(c *v1beta1.Canary, h v1beta1.CanaryWebhook) webhook.Payload {
	p := webhook.Payload{
		Name: c.Name, Namespace: c.Namespace, Phase: c.Status.Phase, Checksum: c.Status.LastAppliedSpec,
		Metadata: h.Metadata, CanaryWeight: c.Status.CanaryWeight,
	}
	if r := c.Status.Rollout; r != nil {
		p.Rollout, p.Image, p.Promoted = r.Number, r.Revision.Image, r.From.Image
	} else if c.Status.Promoted != nil {
		p.Promoted = c.Status.Promoted.Image
	}
	return p
}

// eventHook is told of every decision, muted ones too, in the payload that Flagger sends.
func (a *audience) eventHook(name string, h v1beta1.CanaryWebhook) sink {
	return sink{name: name, label: v1beta1.HookEvent, wants: everything,
		tell: func(ctx context.Context, c *v1beta1.Canary, e v1beta1.JournalEntry, _ string) (string, error) {
			reply, err := a.hooks.call(ctx, c, h, eventPayload(c, h, e), entryKey(c, e)+"/"+name)
			if err != nil || reply.Passed {
				return "", err
			}
			err = fmt.Errorf("webhook %s: %s", h.Name, reply.Message)
			if reply.Again {
				return "", err
			}
			return "", &notifier.Refused{Err: err}
		}}
}

// eventPayload has the decision in the metadata; what the hook has there itself stands beside it.
func eventPayload(c *v1beta1.Canary, h v1beta1.CanaryWebhook, e v1beta1.JournalEntry) webhook.Payload {
	p := payload(c, h)
	p.Metadata = map[string]string{}
	maps.Copy(p.Metadata, h.Metadata)
	maps.Copy(p.Metadata, map[string]string{
		"eventMessage": text(e), "eventType": eventType(e), "eventReason": e.Reason,
		"timestamp": strconv.FormatInt(e.At.UnixMilli(), 10),
	})
	return p
}

// postRollout is called once when a rollout has succeeded or failed. It decides nothing: an event says
// what it answered, and a call that fails is not repeated beyond the hook's own retries.
func (a *audience) postRollout(c *v1beta1.Canary, i int, h v1beta1.CanaryWebhook) sink {
	name := hookSink(i, h)
	return sink{name: name, label: v1beta1.HookPostRollout,
		wants: func(e v1beta1.JournalEntry) bool {
			r := runOf(c, e)
			return e.Moment == string(rollout.Ended) && r != nil && (r.Outcome == v1beta1.OutcomePromoted || r.Outcome == v1beta1.OutcomeFailed)
		},
		tell: func(ctx context.Context, c *v1beta1.Canary, e v1beta1.JournalEntry, _ string) (string, error) {
			r := runOf(c, e)
			p := payload(c, h)
			p.Phase, p.Checksum, p.CanaryWeight = endPhase(r.Outcome), r.Revision.Name, 0
			p.Rollout, p.Image, p.Promoted = r.Number, r.Revision.Image, r.From.Image
			reply, err := a.hooks.call(ctx, c, h, p, entryKey(c, e)+"/"+name)
			if ctx.Err() != nil {
				return "", ctx.Err() // the operator stops: the next one calls
			}
			mark := fmt.Sprintf(".%x", i)
			switch {
			case err != nil:
				return "", a.say(ctx, c, e, mark, "PostRolloutFailed", fmt.Sprintf("post-rollout hook %s: %s", h.Name, err))
			case !reply.Passed:
				return "", a.say(ctx, c, e, mark, "PostRolloutFailed", fmt.Sprintf("post-rollout hook %s: %s", h.Name, reply.Message))
			}
			return "", a.say(ctx, c, e, mark, "PostRolloutPassed", fmt.Sprintf("post-rollout hook %s passed", h.Name))
		}}
}

// hookSink names a hook's sink by its place too: names may repeat.
func hookSink(i int, h v1beta1.CanaryWebhook) string { return fmt.Sprintf("hook/%d-%s", i, h.Name) }

// seeHooks warns of hooks that nothing would ever call.
func (r *Reconciler) seeHooks(v *view) {
	a := v.canary.Spec.Analysis
	if a == nil {
		return
	}
	for i, s := range a.Steps {
		for _, h := range s.Webhooks {
			if t := h.HookType(); t == v1beta1.HookEvent || t == v1beta1.HookPostRollout {
				v.warning("HookIgnored", "webhook %s of type %s in step %d is never called: put it into spec.analysis.webhooks", h.Name, t, i+1)
			}
		}
	}
}

// readSecret reads a Secret by name. The error says what to do.
func readSecret(ctx context.Context, secrets client.Reader, name client.ObjectKey) (map[string][]byte, error) {
	var s corev1.Secret
	err := secrets.Get(ctx, name, &s)
	switch {
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("Secret %s does not exist: create it, or correct secretRef", name)
	case apierrors.IsForbidden(err):
		return nil, fmt.Errorf("Secret %s may not be read by the operator: grant it by name (the chart's value metricSecrets)", name)
	case err != nil:
		return nil, fmt.Errorf("read Secret %s: %w", name, err)
	}
	return s.Data, nil
}
