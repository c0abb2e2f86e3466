package canary

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
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
