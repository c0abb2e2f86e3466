package main

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// lookAgain is the pause before a watch that broke off is taken up again.
const lookAgain = 500 * time.Millisecond

// follow shows a Canary, and again whenever it changes, until done says so or the context ends. seen is
// a state that was read before, from which on nothing is missed. An API server that is away is waited
// for: a pipeline must not fail because of an upgrade of the control plane. The error is then the last
// one met.
func (t target) follow(ctx context.Context, seen *v1beta1.Canary, done func(*v1beta1.Canary) bool) error {
	for {
		if seen != nil {
			if done(seen) {
				return nil
			}
			if end, err := t.watch(ctx, seen.ResourceVersion, done); end || lasts(err) {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookAgain):
		}
		// What is there now is the next state, whatever the watch has missed.
		next := &v1beta1.Canary{}
		switch err := t.Get(ctx, t.key, next); {
		case err == nil:
			seen = next
		case lasts(err) || ctx.Err() != nil:
			return err
		default:
			seen = nil
		}
	}
}

// watch shows the changes after a version; false when the watch broke off, as every one does at times.
func (t target) watch(ctx context.Context, version string, done func(*v1beta1.Canary) bool) (bool, error) {
	w, err := t.Watch(ctx, &v1beta1.CanaryList{}, &client.ListOptions{Namespace: t.key.Namespace,
		Raw: &metav1.ListOptions{ResourceVersion: version, FieldSelector: "metadata.name=" + t.key.Name}})
	if err != nil {
		return false, err
	}
	defer w.Stop()
	for e := range w.ResultChan() {
		c, ok := e.Object.(*v1beta1.Canary)
		switch {
		case !ok: // the version is too old to go on from
			return false, nil
		case e.Type == watch.Deleted:
			return false, apierrors.NewNotFound(v1beta1.GroupVersion.WithResource("canaries").GroupResource(), c.Name)
		case done(c):
			return true, nil
		}
	}
	return false, nil
}

// lasts is true for an error that asking again does not mend.
func lasts(err error) bool {
	return apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || apierrors.IsInvalid(err)
}
