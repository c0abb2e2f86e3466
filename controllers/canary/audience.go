package canary

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/notifier"
)

// longestNotice bounds one message to a notifier.
const longestNotice = 30 * time.Second

// audience knows who is told of a canary: its events, the operator's own sinks, the AlertProviders
// that it names, and its hooks of type event and post-rollout.
type audience struct {
	client  client.Client
	own     map[string]notifier.Notifier
	alerts  alerts
	hooks   hooks
	cluster string
	// eventWebhook is told of canaries that have no hook of type event; empty for none.
	eventWebhook string
}

// sink is one place that a canary's decisions are told to.
type sink struct {
	// name is the same across restarts; label is what deliveries are counted under.
	name, label string
	// wants is false for entries that are not for it.
	wants func(v1beta1.JournalEntry) bool
	// tell returns a receipt, as a notifier does, to be given to it with the rollout's next entry. An
	// error that wraps notifier.Refused is final.
	tell func(ctx context.Context, c *v1beta1.Canary, e v1beta1.JournalEntry, receipt string) (string, error)
}

// of lists who is told of a canary. It reads nothing.
func (a *audience) of(c *v1beta1.Canary) []sink {
	sinks := []sink{{name: "events", label: "events", wants: everything, tell: a.event}}
	for _, name := range slices.Sorted(maps.Keys(a.own)) {
		n := a.own[name]
		sinks = append(sinks, sink{name: name, label: name, wants: unmuted,
			tell: a.notify(func(context.Context) (notifier.Notifier, error) { return n, nil })})
	}
	if a.eventWebhook != "" && !hasEventHook(c) {
		sinks = append(sinks, a.eventHook("event-webhook", v1beta1.CanaryWebhook{Name: "event-webhook", URL: a.eventWebhook}))
	}
	if c.Spec.Analysis == nil {
		return sinks
	}
	for i, alert := range c.Spec.Analysis.Alerts {
		sinks = append(sinks, a.alert(c, i, alert))
	}
	for i, h := range c.Spec.Analysis.Webhooks {
		switch h.HookType() {
		case v1beta1.HookEvent:
			sinks = append(sinks, a.eventHook(hookSink(i, h), h))
		case v1beta1.HookPostRollout:
			sinks = append(sinks, a.postRollout(c, i, h))
		}
	}
	return sinks
}

func hasEventHook(c *v1beta1.Canary) bool {
	return c.Spec.Analysis != nil && slices.ContainsFunc(c.Spec.Analysis.Webhooks, func(h v1beta1.CanaryWebhook) bool {
		return h.HookType() == v1beta1.HookEvent
	})
}

// named finds one of them; it is false when the canary has it no more.
func (a *audience) named(c *v1beta1.Canary, name string) (sink, bool) {
	for _, s := range a.of(c) {
		if s.name == name {
			return s, true
		}
	}
	return sink{}, false
}

func everything(v1beta1.JournalEntry) bool { return true }

func unmuted(e v1beta1.JournalEntry) bool { return !e.Muted }

// notify tells a notifier that is looked up when it is told.
func (a *audience) notify(find func(context.Context) (notifier.Notifier, error)) func(context.Context, *v1beta1.Canary, v1beta1.JournalEntry, string) (string, error) {
	return func(ctx context.Context, c *v1beta1.Canary, e v1beta1.JournalEntry, receipt string) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, longestNotice)
		defer cancel()
		n, err := find(ctx)
		if err != nil {
			return receipt, err
		}
		return n.Notify(ctx, message(c, e, a.cluster), receipt)
	}
}

// alert is an AlertProvider that a canary names. What it is and where it is are read when it is told:
// the canary need not know of a token that was rotated.
func (a *audience) alert(c *v1beta1.Canary, i int, alert v1beta1.CanaryAlert) sink {
	key := providerKey(c, alert)
	notify := a.notify(func(ctx context.Context) (notifier.Notifier, error) { return a.alerts.get(ctx, c.Namespace, key) })
	return sink{
		name: fmt.Sprintf("alert/%d-%s", i, alert.Name), label: "AlertProvider " + key.String(),
		wants: func(e v1beta1.JournalEntry) bool { return unmuted(e) && severe(e.Severity) >= severe(alert.Severity) },
		tell: func(ctx context.Context, c *v1beta1.Canary, e v1beta1.JournalEntry, receipt string) (string, error) {
			receipt, err := notify(ctx, c, e, receipt)
			if err != nil {
				return receipt, fmt.Errorf("AlertProvider %s: %w", key, err)
			}
			return receipt, nil
		},
	}
}

// severe ranks severities; one that is not set is info.
func severe(severity string) int {
	switch severity {
	case v1beta1.SeverityError:
		return 2
	case v1beta1.SeverityWarn:
		return 1
	default:
		return 0
	}
}
