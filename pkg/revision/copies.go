package revision

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/configs"
)

// copies are the names of a snapshot's copies, by their originals.
func copies(have map[configs.ID]entry) map[configs.ID]string {
	out := map[configs.ID]string{}
	for id, e := range have {
		if e.Copy != "" {
			out[id] = e.Copy
		}
	}
	return out
}

// keepCopies makes the copies of what was read and is not tracked by the snapshot yet: they are there
// before anything refers to them.
func (s Store) keepCopies(ctx context.Context, c *v1beta1.Canary, now contents, have map[configs.ID]entry) error {
	for _, e := range now.entries {
		o, ok := now.read[e.ID()]
		if !ok || have[e.ID()].tracked() {
			continue
		}
		if err := s.copyOf(ctx, c, o, e.Config); err != nil {
			return err
		}
	}
	return nil
}

// NotKept says why contents could not be kept for a revision, where asking again does not help.
type NotKept struct {
	configs.ID
	Err error
}

func (n *NotKept) Error() string { return fmt.Sprintf("keep %s %s: %v", n.Kind, n.Name, n.Err) }
func (n *NotKept) Unwrap() error { return n.Err }

// errTaken: the name of a copy belongs to something else.
var errTaken = errors.New("has other contents: delete it")

// notKept tells what somebody must mend from what passes by itself.
func notKept(id configs.ID, err error) error {
	if errors.Is(err, errTaken) || apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsRequestEntityTooLargeError(err) {
		return &NotKept{ID: id, Err: err}
	}
	return err
}

// copyOf makes a copy, or finds it made.
func (s Store) copyOf(ctx context.Context, c *v1beta1.Canary, o client.Object, to Config) error {
	err := s.Client.Create(ctx, configs.Copy(c, o, to.Copy), client.FieldOwner(v1beta1.FieldManager))
	if apierrors.IsAlreadyExists(err) {
		err = s.isCopy(ctx, o, to, c.Namespace)
	}
	if err != nil {
		return notKept(to.ID(), fmt.Errorf("copy to %s: %w", to.Copy, err))
	}
	return nil
}

// isCopy makes sure that what has a copy's name holds its contents: an earlier turn made it, or
// somebody else.
func (s Store) isCopy(ctx context.Context, o client.Object, to Config, namespace string) error {
	found, err := s.original(ctx, configs.ID{Kind: to.Kind, Name: to.Copy}, namespace)
	if err != nil {
		return err
	}
	if found == nil || !configs.SameContents(o, found) {
		return fmt.Errorf("%s %s %w", to.Kind, to.Copy, errTaken)
	}
	return nil
}

// Lost is a copy that is gone though a revision needs it.
type Lost struct {
	Config
	Revision string
	// Version of the original that holds the contents still; empty when none does.
	Version string
}

// Lost finds the copies of snapshots that are not there any more.
func (s Store) Lost(ctx context.Context, c *v1beta1.Canary, snapshots ...string) ([]Lost, error) {
	var out []Lost
	for _, name := range snapshots {
		cr, err := s.snapshot(ctx, c.Namespace, name)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		have, err := entries(cr)
		if err != nil {
			return nil, err
		}
		for _, e := range listed(have) {
			lost, err := s.lost(ctx, c, e)
			if err != nil {
				return nil, err
			}
			if lost != nil {
				lost.Revision = name
				out = append(out, *lost)
			}
		}
	}
	return out, nil
}

func (s Store) lost(ctx context.Context, c *v1beta1.Canary, e entry) (*Lost, error) {
	if e.Copy == "" || s.Tracks == nil || !s.Tracks(e.Kind, c.Namespace) {
		return nil, nil
	}
	err := s.Client.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: e.Copy}, Metadata(e.Kind))
	if err == nil {
		return nil, nil
	}
	if !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("read metadata of %s %s/%s: %w", e.Kind, c.Namespace, e.Copy, err)
	}
	m := Metadata(e.Kind)
	err = s.Client.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: e.Name}, m)
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("read metadata of %s %s/%s: %w", e.Kind, c.Namespace, e.Name, err)
	}
	l := &Lost{Config: e.Config}
	if err == nil && m.ResourceVersion == e.Version {
		l.Version = e.Version
	}
	return l, nil
}

// Restore makes a lost copy anew from the original, unless that has changed in this moment.
func (s Store) Restore(ctx context.Context, c *v1beta1.Canary, l Lost) error {
	o, err := s.original(ctx, l.ID(), c.Namespace)
	if err != nil || o == nil || o.GetResourceVersion() != l.Version {
		return err
	}
	return s.copyOf(ctx, c, o, l.Config)
}

// collectCopies deletes the copies that no snapshot refers to.
func (s Store) collectCopies(ctx context.Context, c *v1beta1.Canary, kept []appsv1.ControllerRevision) error {
	used := map[configs.ID]bool{}
	for i := range kept {
		have, err := entries(&kept[i])
		if err != nil {
			return err
		}
		for _, e := range have {
			used[configs.ID{Kind: e.Kind, Name: e.Copy}] = true
		}
	}
	for _, kind := range []configs.Kind{configs.ConfigMap, configs.Secret} {
		if s.Tracks == nil || !s.Tracks(kind, c.Namespace) {
			continue
		}
		l := &metav1.PartialObjectMetadataList{}
		l.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(string(kind) + "List"))
		if err := s.Client.List(ctx, l, client.InNamespace(c.Namespace),
			client.MatchingLabels{v1beta1.CanaryLabel: v1beta1.LabelValue(c.Name)}); err != nil {
			return fmt.Errorf("list copies of %s/%s: %w", c.Namespace, c.Name, err)
		}
		for i := range l.Items {
			if err := s.collectCopy(ctx, kind, &l.Items[i], used); err != nil {
				return err
			}
		}
	}
	return nil
}

// collectCopy deletes a copy unless it is in use. Only what says that it is a copy is one.
func (s Store) collectCopy(ctx context.Context, kind configs.Kind, m *metav1.PartialObjectMetadata, used map[configs.ID]bool) error {
	if used[configs.ID{Kind: kind, Name: m.Name}] || m.Annotations[configs.CopyOfAnnotation] == "" {
		return nil
	}
	m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(string(kind)))
	if err := s.Client.Delete(ctx, m, client.Preconditions{UID: &m.UID}); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete unused copy %s %s/%s: %w", kind, m.Namespace, m.Name, err)
	}
	return nil
}
