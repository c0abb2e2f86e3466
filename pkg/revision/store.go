package revision

import (
	"cmp"
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
	"github.com/serin-dev/serin/pkg/configs"
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
	// Tracks is true for the kinds that may be tracked in a namespace; nil tracks nothing. The cache
	// has the metadata of these.
	Tracks func(kind configs.Kind, namespace string) bool
}

// Lookup finds the snapshot of the target's present template, as workload.Object has it: without what
// keeps its pods away, and of what it refers to. It is false while there is none.
func (s Store) Lookup(ctx context.Context, c *v1beta1.Canary, target client.Object, template *corev1.PodTemplateSpec) (v1beta1.RevisionStatus, bool, error) {
	all, err := s.list(ctx, c)
	if err != nil {
		return v1beta1.RevisionStatus{}, false, err
	}
	present, err := s.Present(ctx, target, template)
	if err != nil {
		return v1beta1.RevisionStatus{}, false, err
	}
	for _, cr := range recognised(c, all, Hash(template)) {
		have, err := entries(cr)
		if err != nil {
			return v1beta1.RevisionStatus{}, false, err
		}
		if known(have, present) {
			return Describe(cr.Name, template), true, nil
		}
	}
	return v1beta1.RevisionStatus{}, false, nil
}

// Template reads a snapshot's pod template as the API server stored it, unknown fields included.
func (s Store) Template(ctx context.Context, namespace, name string) (map[string]any, error) {
	cr, err := s.snapshot(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	return decode(cr)
}

// Rendering reads a snapshot's pod template with its references turned to the copies of what was
// tracked: this is what clones run.
func (s Store) Rendering(ctx context.Context, namespace, name string) (map[string]any, error) {
	cr, err := s.snapshot(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	t, err := decode(cr)
	if err != nil {
		return nil, err
	}
	have, err := entries(cr)
	if err != nil {
		return nil, err
	}
	return configs.Rewrite(t, copies(have)), nil
}

// Configs are what a snapshot tracks, in a fixed order. A snapshot that is gone tracks nothing.
func (s Store) Configs(ctx context.Context, namespace, name string) ([]Config, error) {
	cr, err := s.snapshot(ctx, namespace, name)
	if err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	have, err := entries(cr)
	if err != nil {
		return nil, err
	}
	return tracked(listed(have)), nil
}

func (s Store) snapshot(ctx context.Context, namespace, name string) (*appsv1.ControllerRevision, error) {
	var cr appsv1.ControllerRevision
	if err := s.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &cr); err != nil {
		return nil, fmt.Errorf("read snapshot %s/%s: %w", namespace, name, err)
	}
	return &cr, nil
}

// Take snapshots the target's template as the API server has it now, with the contents of what it
// refers to. What is only the rendering of a known snapshot under newer server defaults, or has its
// contents under newer versions, is noted on that snapshot: it is no new revision. Nor is one whose
// ConfigMaps and Secrets were not tracked yet: the present contents are taken for its own.
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
	now, err := s.contents(ctx, c, live, typed, all)
	if err != nil {
		return err
	}
	hash := Hash(typed)
	for _, cr := range s.sameTemplate(ctx, c, live, typed, hash, all) {
		have, err := entries(cr)
		if err != nil {
			return err
		}
		if same(have, now.entries) {
			return s.note(ctx, c, cr, hash, have, now)
		}
	}
	if now.missing != nil {
		return fmt.Errorf("snapshot Deployment %s: %w", target, now.missing)
	}
	return s.create(ctx, c, target.Name, raw, hash, now, all)
}

// sameTemplate finds the snapshots of a template, the promoted one first. Where no hash tells, it lets
// the server default those that matter once more, unless they have other images: no default explains
// that. A server that cannot say leaves the template new, which is the safe side.
func (s Store) sameTemplate(ctx context.Context, c *v1beta1.Canary, live *unstructured.Unstructured, typed *corev1.PodTemplateSpec, hash string, all []appsv1.ControllerRevision) []*appsv1.ControllerRevision {
	found := recognised(c, all, hash)
	if len(found) > 0 {
		return found
	}
	for i := range all {
		if !slices.Contains(mattering(c), all[i].Name) {
			continue
		}
		raw, err := decode(&all[i])
		if err != nil || otherImages(raw, typed) {
			continue
		}
		if now, err := s.defaulted(ctx, live, raw); err == nil && Hash(now) == hash {
			found = append(found, &all[i])
		}
	}
	return byRank(c, found)
}

// mattering are the snapshots that the status speaks of, the promoted one first.
func mattering(c *v1beta1.Canary) []string {
	return []string{c.Status.LastPromotedSpec, c.Status.LastAppliedSpec, c.Status.Rejected}
}

func recognised(c *v1beta1.Canary, all []appsv1.ControllerRevision, hash string) []*appsv1.ControllerRevision {
	var found []*appsv1.ControllerRevision
	for i := range all {
		if slices.Contains(hashes(all[i].Annotations[HashAnnotation]), hash) {
			found = append(found, &all[i])
		}
	}
	return byRank(c, found)
}

// byRank puts what matters first, and then what is newer.
func byRank(c *v1beta1.Canary, found []*appsv1.ControllerRevision) []*appsv1.ControllerRevision {
	rank := func(cr *appsv1.ControllerRevision) int {
		if i := slices.Index(mattering(c), cr.Name); i >= 0 {
			return i
		}
		return len(mattering(c))
	}
	slices.SortFunc(found, func(a, b *appsv1.ControllerRevision) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(b.Revision, a.Revision))
	})
	return found
}

// note writes on a snapshot by what else it is recognised: a hash of its template, versions of what
// it refers to.
func (s Store) note(ctx context.Context, c *v1beta1.Canary, cr *appsv1.ControllerRevision, hash string, have map[configs.ID]entry, now contents) error {
	if err := s.keepCopies(ctx, c, now, have); err != nil {
		return err
	}
	hs := hashes(cr.Annotations[HashAnnotation])
	if !slices.Contains(hs, hash) {
		hs = append(hs, hash)
	}
	annotations, err := annotated(hs, listed(merge(have, now.entries)))
	if err != nil || contains(cr.Annotations, annotations) {
		return err
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"resourceVersion": cr.ResourceVersion, "annotations": annotations}})
	if err != nil {
		return fmt.Errorf("encode patch of snapshot %s: %w", cr.Name, err)
	}
	if err := s.Client.Patch(ctx, cr.DeepCopy(), client.RawPatch(mergePatch, patch), client.FieldOwner(v1beta1.FieldManager)); err != nil {
		return fmt.Errorf("note on snapshot %s/%s what else it is: %w", cr.Namespace, cr.Name, err)
	}
	return nil
}

// annotated are the annotations of a snapshot.
func annotated(hashes []string, all []entry) (map[string]string, error) {
	out := map[string]string{HashAnnotation: strings.Join(hashes, ",")}
	if len(all) == 0 {
		return out, nil
	}
	b, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("encode annotation %s: %w", VersionsAnnotation, err)
	}
	out[VersionsAnnotation] = string(b)
	return out, nil
}

func contains(have, want map[string]string) bool {
	for k, v := range want {
		if have[k] != v {
			return false
		}
	}
	return true
}

// otherImages is true where a container of a snapshot has another image now. One that is new may be the
// work of a webhook, which the server will say.
func otherImages(snapshot map[string]any, t *corev1.PodTemplateSpec) bool {
	was, err := typedTemplate(snapshot)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(was.Spec.Containers, func(before corev1.Container) bool {
		return slices.ContainsFunc(t.Spec.Containers, func(c corev1.Container) bool { return c.Name == before.Name && c.Image != before.Image })
	})
}

// defaulted asks the server, without storing anything, what it makes of a snapshot's template today.
func (s Store) defaulted(ctx context.Context, live *unstructured.Unstructured, raw map[string]any) (*corev1.PodTemplateSpec, error) {
	probe := &unstructured.Unstructured{Object: map[string]any{}}
	probe.SetGroupVersionKind(live.GroupVersionKind())
	probe.SetNamespace(live.GetNamespace())
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

func (s Store) create(ctx context.Context, c *v1beta1.Canary, target string, raw map[string]any, hash string, now contents, all []appsv1.ControllerRevision) error {
	content := map[string]any{"template": raw}
	if recorded := tracked(now.entries); len(recorded) > 0 {
		content["configs"] = recorded
	}
	data, err := json.Marshal(content)
	if err != nil {
		return fmt.Errorf("encode template of %s: %w", target, err)
	}
	annotations, err := annotated([]string{hash}, now.entries)
	if err != nil {
		return err
	}
	if err := s.keepCopies(ctx, c, now, nil); err != nil {
		return err
	}
	number := int64(1)
	for i := range all {
		number = max(number, all[i].Revision+1)
	}
	cr := &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: c.Namespace, Name: target + "-" + identify(hash, now.entries),
			Labels:      map[string]string{v1beta1.CanaryLabel: v1beta1.LabelValue(c.Name)},
			Annotations: annotations,
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
	return s.collect(ctx, c, all, cr)
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

// collect deletes the oldest snapshots that nothing refers to, and the copies that none of the
// others refers to.
func (s Store) collect(ctx context.Context, c *v1beta1.Canary, all []appsv1.ControllerRevision, fresh *appsv1.ControllerRevision) error {
	used := append(append(mattering(c), fresh.Name), c.Status.Promotions...)
	if r := c.Status.Rollout; r != nil {
		used = append(used, r.Revision.Name, r.From.Name)
	}
	free := slices.DeleteFunc(slices.Clone(all), func(cr appsv1.ControllerRevision) bool { return slices.Contains(used, cr.Name) })
	slices.SortFunc(free, func(a, b appsv1.ControllerRevision) int { return cmp.Compare(b.Revision, a.Revision) })
	gone := map[string]bool{}
	for i := keep; i < len(free); i++ {
		if err := s.Client.Delete(ctx, &free[i]); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete old snapshot %s/%s: %w", free[i].Namespace, free[i].Name, err)
		}
		gone[free[i].Name] = true
	}
	kept := slices.DeleteFunc(append(slices.Clone(all), *fresh), func(cr appsv1.ControllerRevision) bool { return gone[cr.Name] })
	return s.collectCopies(ctx, c, kept)
}

func (s Store) list(ctx context.Context, c *v1beta1.Canary) ([]appsv1.ControllerRevision, error) {
	var l appsv1.ControllerRevisionList
	if err := s.Client.List(ctx, &l, client.InNamespace(c.Namespace),
		client.MatchingLabels{v1beta1.CanaryLabel: v1beta1.LabelValue(c.Name)}); err != nil {
		return nil, fmt.Errorf("list snapshots of %s/%s: %w", c.Namespace, c.Name, err)
	}
	// Kubernetes keeps revisions of a DaemonSet in the same kind, with the labels of its pods.
	return slices.DeleteFunc(l.Items, func(cr appsv1.ControllerRevision) bool { return cr.Annotations[HashAnnotation] == "" }), nil
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
