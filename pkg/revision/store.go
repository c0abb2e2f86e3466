package revision

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/workload"
)

// HashAnnotation on a snapshot lists the hashes under which its template is recognised.
const HashAnnotation = "serin.dev/template-hashes"

// keep is how many snapshots that nothing refers to are left for a look back.
const keep = 10

// Store reads snapshots from the cache and takes new ones.
type Store struct {
	// Client reads from the cache and writes to the API server; Live reads from the API server.
	Client client.Client
	Live   client.Reader
}

// Lookup finds the snapshot of the target's present template, as workload.Object has it: without what
// keeps its pods away. It is false while there is none.
func (s Store) Lookup(ctx context.Context, c *v1beta1.Canary, template *corev1.PodTemplateSpec) (v1beta1.RevisionStatus, bool, error) {
	all, err := s.list(ctx, c)
	if err != nil {
		return v1beta1.RevisionStatus{}, false, err
	}
	hash := Hash(template)
	for i := range all {
		if slices.Contains(hashes(all[i].Annotations[HashAnnotation]), hash) {
			return Describe(all[i].Name, template), true, nil
		}
	}
	return v1beta1.RevisionStatus{}, false, nil
}

// Template reads a snapshot's pod template as the API server stored it, unknown fields included.
func (s Store) Template(ctx context.Context, namespace, name string) (map[string]any, error) {
	var cr appsv1.ControllerRevision
	if err := s.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &cr); err != nil {
		return nil, fmt.Errorf("read snapshot %s/%s: %w", namespace, name, err)
	}
	return decode(&cr)
}

// Take snapshots the target's template as the API server has it now. A template that is only the
// rendering of a known snapshot under newer server defaults becomes another hash of that snapshot:
// an upgrade of Kubernetes is no new revision.
func (s Store) Take(ctx context.Context, c *v1beta1.Canary, target client.ObjectKey) error {
	if c.Spec.TargetRef.Kind == workload.KindService {
		return s.takeService(ctx, c, target)
	}
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind(c.Spec.TargetRef.Kind))
	if err := s.Live.Get(ctx, target, live); err != nil {
		return fmt.Errorf("read %s %s for its snapshot: %w", live.GetKind(), target, err)
	}
	raw, _, err := unstructured.NestedMap(live.Object, "spec", "template")
	if err != nil {
		return fmt.Errorf("read template of %s %s: %w", live.GetKind(), target, err)
	}
	workload.Restore(raw)
	typed, err := typedTemplate(raw)
	if err != nil {
		return err
	}
	all, err := s.list(ctx, c)
	if err != nil {
		return err
	}
	hash := Hash(typed)
	known, err := s.sameUnderDefaults(ctx, c, live, all, hash)
	if err != nil || known {
		return err
	}
	return s.create(ctx, c, target.Name, raw, hash, all)
}

// sameUnderDefaults lets the server default the snapshots that matter once more, and adds the hash
// to the one that comes out as the present template.
func (s Store) sameUnderDefaults(ctx context.Context, c *v1beta1.Canary, live *unstructured.Unstructured, all []appsv1.ControllerRevision, hash string) (bool, error) {
	for i := range all {
		cr := &all[i]
		if !slices.Contains([]string{c.Status.LastPromotedSpec, c.Status.LastAppliedSpec, c.Status.Rejected}, cr.Name) {
			continue
		}
		known := hashes(cr.Annotations[HashAnnotation])
		if slices.Contains(known, hash) {
			return true, nil
		}
		now, err := s.defaulted(ctx, live, cr)
		if err != nil || Hash(now) != hash {
			continue // a server that cannot say: the template counts as new, which is the safe side
		}
		patch := fmt.Appendf(nil, `{"metadata":{"resourceVersion":%q,"annotations":{%q:%q}}}`,
			cr.ResourceVersion, HashAnnotation, strings.Join(append(known, hash), ","))
		if err := s.Client.Patch(ctx, cr.DeepCopy(), client.RawPatch(mergePatch, patch), client.FieldOwner(v1beta1.FieldManager)); err != nil {
			return false, fmt.Errorf("note a new rendering on snapshot %s/%s: %w", cr.Namespace, cr.Name, err)
		}
		return true, nil
	}
	return false, nil
}

// defaulted asks the server, without storing anything, what it makes of a snapshot today.
func (s Store) defaulted(ctx context.Context, live *unstructured.Unstructured, cr *appsv1.ControllerRevision) (*corev1.PodTemplateSpec, error) {
	raw, err := decode(cr)
	if err != nil {
		return nil, err
	}
	probe := &unstructured.Unstructured{Object: map[string]any{}}
	probe.SetGroupVersionKind(live.GroupVersionKind())
	probe.SetNamespace(cr.Namespace)
	probe.SetName(live.GetName() + "-serin-compare")
	selector, _, _ := unstructured.NestedMap(live.Object, "spec", "selector")
	probe.Object["spec"] = map[string]any{"selector": selector, "template": raw}
	if err := s.Client.Create(ctx, probe, client.DryRunAll, client.FieldOwner(v1beta1.FieldManager)); err != nil {
		return nil, err
	}
	out, _, err := unstructured.NestedMap(probe.Object, "spec", "template")
	if err != nil {
		return nil, err
	}
	return typedTemplate(out)
}

func (s Store) create(ctx context.Context, c *v1beta1.Canary, target string, raw map[string]any, hash string, all []appsv1.ControllerRevision) error {
	data, err := json.Marshal(map[string]any{"template": raw})
	if err != nil {
		return fmt.Errorf("encode template of %s: %w", target, err)
	}
	number := int64(1)
	for i := range all {
		number = max(number, all[i].Revision+1)
	}
	cr := &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: c.Namespace, Name: target + "-" + hash,
			Labels:      map[string]string{v1beta1.CanaryLabel: v1beta1.LabelValue(c.Name)},
			Annotations: map[string]string{HashAnnotation: hash},
		},
		Data: runtime.RawExtension{Raw: data}, Revision: number,
	}
	err = s.Client.Create(ctx, cr, client.FieldOwner(v1beta1.FieldManager))
	if apierrors.IsAlreadyExists(err) {
		err = s.claim(ctx, c, cr.Name)
	}
	if err != nil {
		return fmt.Errorf("create snapshot %s/%s: %w", cr.Namespace, cr.Name, err)
	}
	return s.collect(ctx, c, all)
}

// claim takes over a snapshot that an earlier Canary of the same target left. One of our own that the
// cache does not show yet stays as it is.
func (s Store) claim(ctx context.Context, c *v1beta1.Canary, name string) error {
	var cr appsv1.ControllerRevision
	if err := s.Live.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: name}, &cr); err != nil {
		return err
	}
	if cr.Labels[v1beta1.CanaryLabel] == v1beta1.LabelValue(c.Name) {
		return nil
	}
	patch := fmt.Appendf(nil, `{"metadata":{"resourceVersion":%q,"labels":{%q:%q}}}`,
		cr.ResourceVersion, v1beta1.CanaryLabel, v1beta1.LabelValue(c.Name))
	return s.Client.Patch(ctx, &cr, client.RawPatch(mergePatch, patch), client.FieldOwner(v1beta1.FieldManager))
}

// collect deletes the oldest snapshots that nothing refers to.
func (s Store) collect(ctx context.Context, c *v1beta1.Canary, all []appsv1.ControllerRevision) error {
	used := append([]string{c.Status.LastPromotedSpec, c.Status.LastAppliedSpec, c.Status.Rejected}, c.Status.Promotions...)
	if r := c.Status.Rollout; r != nil {
		used = append(used, r.Revision.Name, r.From.Name)
	}
	free := slices.DeleteFunc(slices.Clone(all), func(cr appsv1.ControllerRevision) bool { return slices.Contains(used, cr.Name) })
	slices.SortFunc(free, func(a, b appsv1.ControllerRevision) int { return int(b.Revision - a.Revision) })
	for i := keep; i < len(free); i++ {
		if err := s.Client.Delete(ctx, &free[i]); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete old snapshot %s/%s: %w", free[i].Namespace, free[i].Name, err)
		}
	}
	return nil
}

func (s Store) list(ctx context.Context, c *v1beta1.Canary) ([]appsv1.ControllerRevision, error) {
	var l appsv1.ControllerRevisionList
	if err := s.Client.List(ctx, &l, client.InNamespace(c.Namespace),
		client.MatchingLabels{v1beta1.CanaryLabel: v1beta1.LabelValue(c.Name)}); err != nil {
		return nil, fmt.Errorf("list snapshots of %s/%s: %w", c.Namespace, c.Name, err)
	}
	return l.Items, nil
}

func decode(cr *appsv1.ControllerRevision) (map[string]any, error) {
	var data struct {
		Template map[string]any `json:"template"`
	}
	if err := utiljson.Unmarshal(cr.Data.Raw, &data); err != nil {
		return nil, fmt.Errorf("decode snapshot %s/%s: %w", cr.Namespace, cr.Name, err)
	}
	if data.Template == nil {
		return nil, fmt.Errorf("snapshot %s/%s holds no template", cr.Namespace, cr.Name)
	}
	return data.Template, nil
}

func typedTemplate(raw map[string]any) (*corev1.PodTemplateSpec, error) {
	var t corev1.PodTemplateSpec
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, &t); err != nil {
		return nil, fmt.Errorf("decode pod template: %w", err)
	}
	return &t, nil
}

const mergePatch = "application/merge-patch+json"
