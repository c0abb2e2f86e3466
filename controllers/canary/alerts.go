package canary

import (
	"cmp"
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/notifier"
	"github.com/serin-dev/serin/pkg/dial"
)

// alerts builds the notifiers of AlertProviders and keeps them by their configuration. Secrets are
// read by name when there is something to tell, and never listed.
type alerts struct {
	registry *notifier.Registry
	client   client.Reader
	secrets  client.Reader
	guard    *dial.Guard
	kept     *kept[notifier.Notifier]
	// outOfReach is an error for providers that a Canary of a namespace may not name.
	outOfReach func(namespace string, provider client.ObjectKey) error
}

// get finds the notifier of a provider that a Canary of a namespace names.
func (a alerts) get(ctx context.Context, namespace string, key client.ObjectKey) (notifier.Notifier, error) {
	if err := a.outOfReach(namespace, key); err != nil {
		return nil, err
	}
	var p v1beta1.AlertProvider
	switch err := a.client.Get(ctx, key, &p); {
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("it does not exist: create it, or correct providerRef")
	case err != nil:
		return nil, fmt.Errorf("read it: %w", err)
	}
	var secret map[string][]byte
	if ref := p.Spec.SecretRef; ref != nil {
		var err error
		if secret, err = readSecret(ctx, a.secrets, client.ObjectKey{Namespace: key.Namespace, Name: ref.Name}); err != nil {
			return nil, err
		}
	}
	config := alertConfig(p.Spec, secret)
	config.Guard = a.guard
	return a.kept.get(p.Spec.Type, config, func() (notifier.Notifier, error) {
		factory, err := a.registry.Get(p.Spec.Type)
		if err != nil {
			return nil, err
		}
		return factory(config)
	})
}

func alertConfig(s v1beta1.AlertProviderSpec, secret map[string][]byte) notifier.Config {
	c := notifier.Config{
		Address: cmp.Or(s.Address, string(secret["address"])), Token: string(secret["token"]), SigningKey: string(secret["signingKey"]),
		Channel: s.Channel, Username: cmp.Or(s.Username, "serin"), Proxy: s.Proxy, Template: s.Template,
	}
	if c.Token != "" {
		c.Channel = cmp.Or(c.Channel, "general")
	}
	return c
}

// providerKey is the AlertProvider that an alert names.
func providerKey(c *v1beta1.Canary, a v1beta1.CanaryAlert) client.ObjectKey {
	return client.ObjectKey{Namespace: cmp.Or(a.ProviderRef.Namespace, c.Namespace), Name: a.ProviderRef.Name}
}

// seeAlerts warns of providers that are missing or that nothing here can send to, before there is
// something to tell, and of sinks that were not told everything.
func (r *Reconciler) seeAlerts(ctx context.Context, v *view) error {
	if v.canary.Spec.Analysis != nil {
		for _, a := range v.canary.Spec.Analysis.Alerts {
			if err := r.seeAlert(ctx, v, a); err != nil {
				return err
			}
		}
	}
	for _, s := range v.canary.Status.Sinks {
		switch {
		case s.Message == "": // it is being told, or has failed a moment ago
		case s.Missed > 0:
			v.warning("NotTold", "%s has not been told everything, and %d decisions never will be: %s", s.Name, s.Missed, s.Message)
		default:
			v.warning("NotTold", "%s has not been told everything: %s", s.Name, s.Message)
		}
	}
	return nil
}

func (r *Reconciler) seeAlert(ctx context.Context, v *view, a v1beta1.CanaryAlert) error {
	key := providerKey(v.canary, a)
	if err := r.outOfReach(v.canary.Namespace, key); err != nil {
		v.warning(reasonRefused, "AlertProvider %s of alert %s: %s", key, a.Name, err)
		return nil
	}
	p, err := get[v1beta1.AlertProvider](ctx, r.client, key.Namespace, key.Name)
	if err != nil && !apierrors.IsForbidden(err) {
		return err
	}
	if p == nil {
		v.warning("AlertProviderMissing", "AlertProvider %s of alert %s does not exist: create it, or correct providerRef", key, a.Name)
		return nil
	}
	if _, err := r.Alerts.Get(p.Spec.Type); err != nil {
		v.warning("AlertTypeUnknown", "AlertProvider %s of alert %s: %s", key, a.Name, err)
	}
	return nil
}
