package main

import (
	"context"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// trackingVerbs are what tracking needs: a watch of metadata, contents by name, and copies.
var trackingVerbs = []string{"get", "list", "watch", "create", "delete"}

// rights holds what is to be tracked against what the operator may do. A watch without the right to it
// would never begin, and the operator would wait for it. Namespaces whose Secrets it may not read are
// left out; that is said in the status of their canaries.
func (o *options) rights(ctx context.Context, config *rest.Config) error {
	if !o.configTracking {
		o.secretNamespaces = nil
		return nil
	}
	c, err := client.New(config, client.Options{})
	if err != nil {
		return fmt.Errorf("ask for rights: %w", err)
	}
	verb, err := missingVerb(ctx, c, "configmaps", o.namespace)
	if err != nil {
		return err
	}
	if verb != "" {
		return fmt.Errorf("the operator may not %s ConfigMaps: apply deploy/rbac (the chart's roles), or start it with --config-tracking=false", verb)
	}
	listed := o.secretNamespaces
	o.secretNamespaces = nil
	for _, n := range listed {
		if o.namespace != "" && n != o.namespace {
			continue
		}
		verb, err := missingVerb(ctx, c, "secrets", n)
		if err != nil {
			return err
		}
		if verb != "" {
			ctrl.Log.Info("Secrets are not tracked: the operator has no right to it", "namespace", n, "verb", verb)
			continue
		}
		o.secretNamespaces = append(o.secretNamespaces, n)
	}
	return nil
}

// missingVerb is the first right that is missing; empty when all are there.
func missingVerb(ctx context.Context, c client.Client, resource, namespace string) (string, error) {
	for _, verb := range trackingVerbs {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: verb, Resource: resource}}}
		if err := c.Create(ctx, review); err != nil {
			return "", fmt.Errorf("ask for the right to %s %s in namespace %q: %w", verb, resource, namespace, err)
		}
		if !review.Status.Allowed {
			return verb, nil
		}
	}
	return "", nil
}
