package gloo

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router"
	"github.com/serin-dev/serin/router/gloo/api"
	"github.com/serin-dev/serin/router/internal/object"
)

// followedAnnotation names the fields that were copied from spec.upstreamRef. One that is named here
// and has gone there goes here too; one that is not named was put here by somebody and stays.
const followedAnnotation = "serin.dev/followed"

// pair is the two Upstreams of a target.
type pair map[side]*unstructured.Unstructured

// ensureUpstreams creates or repairs both Upstreams.
func (r *Router) ensureUpstreams(ctx context.Context, t router.Target) (pair, error) {
	n := names{t}
	source, err := r.source(ctx, n)
	if err != nil {
		return nil, err
	}
	p := pair{}
	for _, s := range sides {
		if p[s], err = r.ensureUpstream(ctx, n, s, source); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// ensureUpstream returns the Upstream as it stands after the call.
func (r *Router) ensureUpstream(ctx context.Context, n names, s side, source settings) (*unstructured.Unstructured, error) {
	live := api.New(api.Upstream)
	err := r.client.Get(ctx, n.upstreamKey(s), live)
	if apierrors.IsNotFound(err) {
		return r.createUpstream(ctx, n, s, source)
	}
	if err != nil {
		return nil, fmt.Errorf("read Upstream %s: %w", n.upstreamKey(s), err)
	}
	if err := n.upstreamTaken(live); err != nil && !object.Orphan(ctx, r.client, live) {
		return nil, err
	}
	wanted := live.DeepCopy()
	if err := n.pointAtService(wanted, s); err != nil {
		return nil, err
	}
	source.copyTo(wanted)
	object.SetLabels(wanted, n.upstreamLabels())
	object.RemoveAnnotations(wanted, unusedAnnotation)
	object.DropCanaryOwners(wanted)
	if equality.Semantic.DeepEqual(live.Object, wanted.Object) {
		return live, nil
	}
	return wanted, r.patch(ctx, live, wanted)
}

func (r *Router) createUpstream(ctx context.Context, n names, s side, source settings) (*unstructured.Unstructured, error) {
	if source.missing {
		return nil, &router.NotReady{Problem: source.problem("the canary's Upstreams cannot be made")}
	}
	key := n.upstreamKey(s)
	made, err := api.Make(api.Upstream, metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Labels: n.upstreamLabels()},
		&api.UpstreamSpec{Kube: n.kube(s)})
	if err != nil {
		return nil, fmt.Errorf("make Upstream %s: %w", key, err)
	}
	source.copyTo(made)
	return made, r.create(ctx, made)
}

func (n names) kube(s side) api.KubeUpstream {
	return api.KubeUpstream{ServiceName: n.service(s), ServiceNamespace: n.Canary.Namespace, ServicePort: int64(n.Port)}
}

func (n names) upstreamLabels() map[string]string {
	return map[string]string{v1beta1.CanaryLabel: n.owner()}
}

func (n names) upstreamTaken(live *unstructured.Unstructured) error {
	owner := live.GetLabels()[v1beta1.CanaryLabel]
	if owner == "" || owner == n.owner() {
		return nil
	}
	return &router.NotReady{Problem: router.Problem{
		Reason: "UpstreamTaken",
		Message: fmt.Sprintf("%s belongs to Canary %s: give one of the two another spec.service.name, or delete Canary %s",
			object.Title(live), owner, owner),
	}}
}

// pointAtService repairs the three fields that say which Service it is, and removes a selector that
// an earlier tool copied. Descriptions of the service's functions, which Gloo adds, stay.
func (n names) pointAtService(u *unstructured.Unstructured, s side) error {
	wanted := n.kube(s)
	content, err := api.Content(&wanted)
	if err != nil {
		return fmt.Errorf("make %s: %w", object.Title(u), err)
	}
	for field, value := range content {
		if err := unstructured.SetNestedField(u.Object, value, "spec", "kube", field); err != nil {
			return fmt.Errorf("repair %s: %w", object.Title(u), err)
		}
	}
	unstructured.RemoveNestedField(u.Object, "spec", "kube", "selector")
	return nil
}

// settings are the fields that spec.upstreamRef gives to both sides.
type settings struct {
	ref    client.ObjectKey
	fields map[string]any
	// missing is true of an Upstream that is not there, or that cannot be read as only watched is.
	missing bool
	watched string
}

// source reads what spec.upstreamRef names.
func (r *Router) source(ctx context.Context, n names) (settings, error) {
	if n.Upstream == nil {
		return settings{}, nil
	}
	ref, up := n.sourceKey(), api.New(api.Upstream)
	if n.outOfSight(ref.Namespace) {
		return settings{ref: ref, missing: true, watched: n.Watched}, nil
	}
	switch err := r.client.Get(ctx, ref, up); {
	case apierrors.IsNotFound(err):
		return settings{ref: ref, missing: true}, nil
	case err != nil:
		return settings{}, fmt.Errorf("read Upstream %s of spec.upstreamRef: %w", ref, err)
	}
	all, _, _ := unstructured.NestedMap(up.Object, "spec")
	fields := map[string]any{}
	for _, f := range api.Followed {
		if v, ok := all[f]; ok {
			fields[f] = v
		}
	}
	return settings{ref: ref, fields: fields}, nil
}

func (n names) sourceKey() client.ObjectKey {
	key := client.ObjectKey{Namespace: n.Upstream.Namespace, Name: n.Upstream.Name}
	if key.Namespace == "" {
		key.Namespace = n.Canary.Namespace
	}
	return key
}

// copyTo sets the fields that the source has and removes those that it had. While the source is
// missing everything stays: settings such as TLS must not vanish under traffic.
func (s settings) copyTo(u *unstructured.Unstructured) {
	if s.missing {
		return
	}
	spec, _, _ := unstructured.NestedFieldNoCopy(u.Object, "spec")
	target, ok := spec.(map[string]any)
	if !ok {
		return
	}
	for f := range strings.SplitSeq(u.GetAnnotations()[followedAnnotation], ",") {
		delete(target, f)
	}
	var copied []string
	for _, f := range api.Followed {
		if v, ok := s.fields[f]; ok {
			target[f] = v
			copied = append(copied, f)
		}
	}
	if len(copied) == 0 {
		object.RemoveAnnotations(u, followedAnnotation)
		return
	}
	object.SetAnnotations(u, map[string]string{followedAnnotation: strings.Join(copied, ",")})
}

func (s settings) problem(consequence string) router.Problem {
	if s.watched != "" {
		return router.Problem{
			Reason: "ReferenceRefused",
			Message: fmt.Sprintf("spec.upstreamRef names Upstream %s, and the operator watches namespace %s alone: %s. Name one in %[2]s or remove spec.upstreamRef",
				s.ref, s.watched, consequence),
		}
	}
	return router.Problem{
		Reason: "UpstreamRefNotFound",
		Message: fmt.Sprintf("spec.upstreamRef names Upstream %s, which does not exist: %s. Create it or remove spec.upstreamRef",
			s.ref, consequence),
	}
}
