package revision

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/configs"
)

// contents are what a template refers to, as it was found for a snapshot.
type contents struct {
	entries []entry
	// read are the originals that had to be read; the others are known by their version.
	read map[configs.ID]client.Object
	// missing is something that pods cannot start without; nil when all is there.
	missing *Missing
}

// Missing is a ConfigMap or Secret that does not exist and without which pods do not start.
type Missing struct{ configs.ID }

func (m *Missing) Error() string { return fmt.Sprintf("%s %s does not exist", m.Kind, m.Name) }

// Metadata is an empty object of a kind, to be read without its contents.
func Metadata(kind configs.Kind) *metav1.PartialObjectMetadata {
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(string(kind)))
	return m
}

// Present is what of a template's references is tracked, from the cached metadata alone.
func (s Store) Present(ctx context.Context, target client.Object, t *corev1.PodTemplateSpec) ([]Present, error) {
	if s.Tracks == nil || configs.Disabled(target.GetAnnotations()) || configs.Disabled(t.Annotations) {
		return nil, nil
	}
	var out []Present
	for _, ref := range configs.Find(t) {
		if !s.Tracks(ref.Kind, target.GetNamespace()) {
			continue
		}
		m := Metadata(ref.Kind)
		err := s.Client.Get(ctx, client.ObjectKey{Namespace: target.GetNamespace(), Name: ref.Name}, m)
		switch {
		case apierrors.IsNotFound(err):
			out = append(out, Present{Reference: ref})
		case err != nil:
			return nil, fmt.Errorf("read metadata of %s %s/%s: %w", ref.Kind, target.GetNamespace(), ref.Name, err)
		case !configs.Live(m):
			out = append(out, Present{Reference: ref, Version: m.ResourceVersion, UID: string(m.UID), Enabled: configs.Enabled(m.Annotations)})
		}
	}
	return out, nil
}

// Missing is what a target refers to and pods cannot start without: what the cache does not have is
// asked of the API server before it counts.
func (s Store) Missing(ctx context.Context, target client.Object, t *corev1.PodTemplateSpec) ([]configs.ID, error) {
	present, err := s.Present(ctx, target, t)
	if err != nil {
		return nil, err
	}
	var out []configs.ID
	for _, p := range present {
		if !p.missing() {
			continue
		}
		err := s.Live.Get(ctx, client.ObjectKey{Namespace: target.GetNamespace(), Name: p.Name}, Metadata(p.Kind))
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("read metadata of %s %s/%s: %w", p.Kind, target.GetNamespace(), p.Name, err)
		}
		if err != nil {
			out = append(out, p.ID)
		}
	}
	return out, nil
}

// Originals are what the ConfigMaps and Secrets that a snapshot's template refers to hold now, as far as
// they are tracked. What does not exist and pods cannot start without is not listed.
func (s Store) Originals(ctx context.Context, c *v1beta1.Canary, target client.Object, snapshot string) ([]Config, error) {
	raw, err := s.Template(ctx, c.Namespace, snapshot)
	if err != nil {
		return nil, err
	}
	t, err := typedTemplate(raw)
	if err != nil {
		return nil, err
	}
	all, err := s.list(ctx, c)
	if err != nil {
		return nil, err
	}
	now, err := s.contents(ctx, c, target, t, all)
	return tracked(now.entries), err
}

// contents finds out what the template refers to now. Only what no snapshot knows by its version is
// read.
func (s Store) contents(ctx context.Context, c *v1beta1.Canary, target client.Object, t *corev1.PodTemplateSpec, all []appsv1.ControllerRevision) (contents, error) {
	now := contents{read: map[configs.ID]client.Object{}}
	present, err := s.Present(ctx, target, t)
	if err != nil || len(present) == 0 {
		return now, err
	}
	recorded, err := recordedIn(all)
	if err != nil {
		return now, err
	}
	for _, p := range present {
		if i := slices.IndexFunc(recorded[p.ID], func(e entry) bool { return e.is(p) }); i >= 0 && !p.missing() {
			now.entries = append(now.entries, recorded[p.ID][i].as(p))
			continue
		}
		if err := s.read(ctx, c, p, &now); err != nil {
			return now, err
		}
	}
	return now, nil
}

// as is the entry as it is found again.
func (e entry) as(p Present) entry {
	if e.Live != "" && e.Live == p.UID {
		return entry{Config: Config{Kind: p.Kind, Name: p.Name}, Version: p.Version, Live: p.UID}
	}
	return e
}

// recordedIn are the entries of all snapshots, by what they are of.
func recordedIn(all []appsv1.ControllerRevision) (map[configs.ID][]entry, error) {
	out := map[configs.ID][]entry{}
	for i := range all {
		have, err := entries(&all[i])
		if err != nil {
			return nil, err
		}
		for id, e := range have {
			out[id] = append(out[id], e)
		}
	}
	return out, nil
}

// read adds one original as the API server has it now.
func (s Store) read(ctx context.Context, c *v1beta1.Canary, p Present, now *contents) error {
	o, err := s.original(ctx, p.ID, c.Namespace)
	if err != nil {
		return notKept(p.ID, err)
	}
	e := entry{Config: Config{Kind: p.Kind, Name: p.Name}}
	switch {
	case o == nil && p.Optional:
		e.Hash = absent
	case o == nil:
		now.missing = &Missing{p.ID}
		return nil
	case staysLive(o):
		e.Version, e.Live = o.GetResourceVersion(), string(o.GetUID())
	default:
		if e.Hash, err = s.hash(ctx, c, o); err != nil {
			return notKept(p.ID, err)
		}
		e.Version, e.Copy = o.GetResourceVersion(), configs.CopyName(p.Name, e.Hash)
		now.read[p.ID] = o
	}
	now.entries = append(now.entries, e)
	return nil
}

func staysLive(o client.Object) bool {
	if secret, ok := o.(*corev1.Secret); ok {
		return configs.LiveSecret(secret)
	}
	return configs.Live(o)
}

// original reads a ConfigMap or Secret by its name; a missing one is nil.
func (s Store) original(ctx context.Context, id configs.ID, namespace string) (client.Object, error) {
	o := empty(id.Kind)
	err := s.Live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: id.Name}, o)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s %s/%s: %w", id.Kind, namespace, id.Name, err)
	}
	return o, nil
}

func empty(kind configs.Kind) client.Object {
	if kind == configs.Secret {
		return &corev1.Secret{}
	}
	return &corev1.ConfigMap{}
}

// KeyName is the Secret with the key of a namespace's hashes of Secrets. Who may read it may read
// what it protects; who may only see the hashes can try nothing out.
const KeyName = "serin-config-key"

const keyField = "key"

// hash is keyed for Secrets. Contents of ConfigMaps are no secret to those who see the hash.
func (s Store) hash(ctx context.Context, c *v1beta1.Canary, o client.Object) (string, error) {
	if _, ok := o.(*corev1.Secret); !ok {
		return configs.Hash(nil, c.Name, o), nil
	}
	key, err := s.key(ctx, c.Namespace)
	if err != nil {
		return "", err
	}
	return configs.Hash(key, c.Name, o), nil
}

// key reads the namespace's key, and makes one where there is none. A lost key makes contents that
// are read anew look like others; what is known by its version stays known.
func (s Store) key(ctx context.Context, namespace string) ([]byte, error) {
	name := client.ObjectKey{Namespace: namespace, Name: KeyName}
	var secret corev1.Secret
	err := s.Live.Get(ctx, name, &secret)
	if apierrors.IsNotFound(err) {
		secret = corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: KeyName},
			Data: map[string][]byte{keyField: []byte(rand.Text())}, Immutable: ptr.To(true)}
		err = s.Client.Create(ctx, &secret, client.FieldOwner(v1beta1.FieldManager))
	}
	if err != nil {
		return nil, fmt.Errorf("key for the hashes of Secrets, Secret %s: %w", name, err)
	}
	if len(secret.Data[keyField]) == 0 {
		return nil, fmt.Errorf("key for the hashes of Secrets, Secret %s: it has no %s: delete it and another is made", name, keyField)
	}
	return secret.Data[keyField], nil
}
