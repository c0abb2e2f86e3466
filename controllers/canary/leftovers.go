package canary

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/configs"
	"github.com/serin-dev/serin/pkg/revision"
	"github.com/serin-dev/serin/pkg/rollout"
	"github.com/serin-dev/serin/pkg/workload"
)

// leftover is one thing that a release has still to clear away.
type leftover struct {
	what  string
	clear func(context.Context) error
}

// owned lists the kinds that Serin creates, in the order in which they go: what sizes the pods first,
// the snapshots last.
func owned() []client.ObjectList {
	return []client.ObjectList{
		&autoscalingv2.HorizontalPodAutoscalerList{}, &policyv1.PodDisruptionBudgetList{}, &appsv1.DeploymentList{}, &appsv1.DaemonSetList{}, &corev1.ServiceList{},
		&discoveryv1.EndpointSliceList{}, &appsv1.ControllerRevisionList{},
	}
}

// findLeftovers lists what Serin made and what carries its marks still. What stays loses its marks and nothing else; what
// only Serin needed is deleted.
func (r *Reconciler) findLeftovers(ctx context.Context, v *view) ([]leftover, error) {
	ours, err := r.madeFor(ctx, r.client, client.ObjectKeyFromObject(v.canary))
	if err != nil {
		return nil, err
	}
	var out []leftover
	for _, o := range ours {
		out = append(out, r.leftover(v, o)...)
	}
	if s := &v.canary.Status; s.Promoted == nil || s.Release.Stays != "" {
		return out, nil // the notes are another canary's, or what they say is still to be known
	}
	if v.target != nil {
		out = append(out, r.unmark(v.target.Raw(), nil, []string{v1beta1.OriginalReplicasAnnotation, v1beta1.OriginalNodeSelectorAnnotation})...)
	}
	if apex := v.services.Apex; apex != nil {
		out = append(out, r.unmark(apex, nil, []string{v1beta1.OriginalSelectorAnnotation})...)
	}
	return out, nil
}

// madeFor lists what Serin made for a Canary.
func (r *Reconciler) madeFor(ctx context.Context, from client.Reader, name types.NamespacedName) ([]client.Object, error) {
	lists := owned()
	if r.keda.watched() {
		scaled := &unstructured.UnstructuredList{}
		scaled.SetGroupVersionKind(workload.BlankScaledObject().GroupVersionKind())
		lists = append([]client.ObjectList{scaled}, lists...)
	}
	for _, kind := range r.trackedKinds() {
		if r.tracks(kind, name.Namespace) { // the snapshots' copies, which go before them
			copies := &metav1.PartialObjectMetadataList{}
			copies.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(string(kind) + "List"))
			lists = append([]client.ObjectList{copies}, lists...)
		}
	}
	var out []client.Object
	for _, list := range lists {
		if err := from.List(ctx, list, client.InNamespace(name.Namespace),
			client.MatchingLabels{v1beta1.CanaryLabel: v1beta1.LabelValue(name.Name)}); gone(list, err) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("list what is left of %s: %w", name, err)
		}
		kind := list.GetObjectKind().GroupVersionKind()
		kind.Kind = strings.TrimSuffix(kind.Kind, "List")
		if err := meta.EachListItem(list, func(item runtime.Object) error {
			o := item.(client.Object)
			if _, bare := o.(*metav1.PartialObjectMetadata); bare { // the API server does not say of what kind
				o.GetObjectKind().SetGroupVersionKind(kind)
			}
			if made(o) {
				out = append(out, o)
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// gone is true where the kind has left the API server, as a user's own kinds do with what brought them.
func gone(list client.ObjectList, err error) bool {
	_, dynamic := list.(*unstructured.UnstructuredList)
	return dynamic && (meta.IsNoMatchError(err) || apierrors.IsNotFound(err))
}

// made is true for what Serin created. It has a mark of ours beside the label: users may have put that on
// objects of their own, and Kubernetes copies labels to what it makes of ours.
func made(o client.Object) bool {
	mark := v1beta1.MadeForAnnotation
	switch o := o.(type) {
	case *discoveryv1.EndpointSlice:
		return o.Labels[discoveryv1.LabelManagedBy] == bridgeManager
	case *appsv1.Deployment, *appsv1.DaemonSet:
		mark = v1beta1.TransitionAnnotation
	case *appsv1.ControllerRevision:
		mark = revision.HashAnnotation
	case *metav1.PartialObjectMetadata:
		mark = configs.CopyOfAnnotation
	}
	_, ours := o.GetAnnotations()[mark]
	return ours
}

// marks are what tells an object that Serin created from others. The revision stays: a Canary that is
// made later takes up what serves by it.
var marks = []string{v1beta1.CanaryLabel, v1beta1.RoleLabel}

func (r *Reconciler) leftover(v *view, o client.Object) []leftover {
	switch {
	case isService(o) && o.GetName() == v.canary.ApexName():
		return r.unmark(o, marks, []string{v1beta1.MadeForAnnotation})
	case v.stays(o):
		switch o.(type) {
		case *appsv1.ControllerRevision, *metav1.PartialObjectMetadata:
			return nil // snapshots, and the copies that pods which stay refer to
		}
		return r.unmark(o, marks, []string{v1beta1.TransitionAnnotation, v1beta1.MadeForAnnotation})
	}
	return []leftover{{what: describe(o), clear: func(ctx context.Context) error { return r.remove(ctx, o) }}}
}

// stays is true for what goes on serving after a release that could not hand back.
func (v *view) stays(o client.Object) bool {
	role := o.GetLabels()[v1beta1.RoleLabel]
	if _, slice := o.(*discoveryv1.EndpointSlice); slice || role == v1beta1.RoleRelease {
		return false
	}
	switch v.canary.Status.Release.Stays {
	case v1beta1.StaysEverything:
		return true
	case v1beta1.StaysPrimary:
		return role != v1beta1.RoleCanary
	default:
		return false
	}
}

func isService(o client.Object) bool {
	_, ok := o.(*corev1.Service)
	return ok
}

// unmark takes labels and annotations of ours off an object, where it has any.
func (r *Reconciler) unmark(o client.Object, labels, annotations []string) []leftover {
	off := map[string]map[string]any{"labels": nulls(o.GetLabels(), labels), "annotations": nulls(o.GetAnnotations(), annotations)}
	if len(off["labels"])+len(off["annotations"]) == 0 {
		return nil
	}
	return []leftover{{what: "marks on " + describe(o), clear: func(ctx context.Context) error {
		patch, err := json.Marshal(map[string]any{"metadata": off})
		if err != nil {
			return fmt.Errorf("encode patch of %s: %w", describe(o), err)
		}
		err = r.client.Patch(ctx, o.DeepCopyObject().(client.Object), client.RawPatch(types.MergePatchType, patch), client.FieldOwner(v1beta1.FieldManager))
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("take the marks off %s: %w", describe(o), err)
		}
		return nil
	}}}
}

func nulls(have map[string]string, keys []string) map[string]any {
	out := map[string]any{}
	for _, k := range keys {
		if _, ok := have[k]; ok {
			out[k] = nil
		}
	}
	return out
}

// remove deletes exactly what was seen, unless it is gone already; pods go with it.
func (r *Reconciler) remove(ctx context.Context, o client.Object) error {
	uid := o.GetUID()
	err := r.client.Delete(ctx, o, client.Preconditions{UID: &uid}, client.PropagationPolicy(metav1.DeletePropagationBackground))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete %s: %w", describe(o), err)
	}
	return nil
}

func describe(o client.Object) string {
	if kind := o.GetObjectKind().GroupVersionKind().Kind; kind != "" {
		return kind + " " + o.GetName()
	}
	kind := fmt.Sprintf("%T", o)
	return kind[strings.LastIndex(kind, ".")+1:] + " " + o.GetName()
}

func (r *Reconciler) removeLeftovers(ctx context.Context, v *view, w rollout.World) error {
	if w.Release == nil || !w.Release.Remove {
		return nil
	}
	for _, l := range v.leftovers {
		if err := l.clear(ctx); err != nil {
			return err
		}
	}
	return nil
}
