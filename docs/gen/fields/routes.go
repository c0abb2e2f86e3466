package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/rollout"
	"github.com/serin-dev/serin/router"
)

// objects is an API server in memory that knows every kind, and which objects were written.
type objects struct {
	router.Scanning
	written map[string]*unstructured.Unstructured
}

func newObjects() *objects {
	o := &objects{written: map[string]*unstructured.Unstructured{}}
	api := fake.NewClientBuilder().WithScheme(scheme()).WithRESTMapper(everyKind{}).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			o.note(obj)
			return c.Create(ctx, obj, opts...)
		},
		Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, p client.Patch, opts ...client.PatchOption) error {
			o.note(obj)
			return c.Patch(ctx, obj, p, opts...)
		},
		Update: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
			o.note(obj)
			return c.Update(ctx, obj, opts...)
		},
	}).Build()
	o.Scanning = router.Scanning{Client: api, Indexes: map[string]client.IndexerFunc{}}
	return o
}

// build makes a router on them.
func (o *objects) build(factory router.Factory) (router.Router, error) {
	rt, err := factory(o)
	if err != nil {
		return nil, err
	}
	for _, w := range rt.Watches() {
		if err := o.Watch(w); err != nil {
			return nil, err
		}
	}
	return rt, nil
}

// scheme has the kinds that routers read by their types; all others are known as they come.
var scheme = sync.OnceValue(func() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, v1beta1.AddToScheme} {
		if err := add(s); err != nil { // compiled in: fails always or never
			panic(err)
		}
	}
	return s
})

func (o *objects) note(obj client.Object) {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(obj.GetObjectKind().GroupVersionKind())
	u.SetNamespace(obj.GetNamespace())
	u.SetName(obj.GetName())
	o.written[fmt.Sprint(u.GroupVersionKind(), u.GetNamespace(), u.GetName())] = u
}

// serve lets a controller that can do everything accept the HTTPRoutes.
func (o *objects) serve(ctx context.Context) error {
	for _, u := range o.written {
		if u.GetKind() != "HTTPRoute" {
			continue
		}
		live := u.DeepCopy()
		if err := o.Get(ctx, client.ObjectKeyFromObject(u), live); err != nil {
			return err
		}
		parents, _, _ := unstructured.NestedSlice(live.Object, "spec", "parentRefs")
		var said []any
		for _, p := range parents {
			said = append(said, map[string]any{"parentRef": p, "controllerName": "istio.io/gateway-controller"})
		}
		if err := unstructured.SetNestedSlice(live.Object, said, "status", "parents"); err != nil {
			return err
		}
		if err := o.Update(ctx, live); err != nil {
			return err
		}
	}
	return nil
}

// state is every object that was written, as it stands.
func (o *objects) state(ctx context.Context) (string, error) {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(o.written)) {
		u := o.written[key].DeepCopy()
		if err := o.Get(ctx, client.ObjectKeyFromObject(u), u); err != nil {
			return "", err
		}
		u.SetResourceVersion("")
		text, err := json.Marshal(u)
		if err != nil {
			return "", err
		}
		all = append(all, string(text))
	}
	return strings.Join(all, "\n"), nil
}

type everyKind struct{ meta.RESTMapper }

func (everyKind) RESTMapping(kind schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	gvk := kind.WithVersion(versions[0])
	resource, _ := meta.UnsafeGuessKindToResource(gvk)
	return &meta.RESTMapping{Resource: resource, GroupVersionKind: gvk, Scope: meta.RESTScopeNamespace}, nil
}

func (m everyKind) RESTMappings(kind schema.GroupKind, versions ...string) ([]*meta.RESTMapping, error) {
	one, err := m.RESTMapping(kind, versions...)
	return []*meta.RESTMapping{one}, err
}

// routed is what a router makes of a Canary and of what its rollout asks of the route: the objects
// after each wish, or why it refuses, and what it has to say of the route.
func routed(build router.Factory, t router.Target, wishes []rollout.RouteWish) (out routing, err error) {
	o := newObjects()
	rt, err := o.build(build)
	if err != nil {
		return out, err
	}
	ctx := context.Background()
	for range 2 { // some things wait for the first word of whoever serves the route
		if err := rt.Ensure(ctx, t, 1); err != nil {
			return refusal(err)
		}
		if err := o.serve(ctx); err != nil {
			return out, err
		}
	}
	state, err := rt.Get(ctx, t)
	if err != nil {
		return out, err
	}
	out.says = encode(state.Problems)
	var all []string
	for _, w := range wishes {
		if err := rt.Set(ctx, t, router.Traffic{Weights: router.Split(w.CanaryWeight), Rules: rt.Features().Heed(w.Rules)}, 1); err != nil {
			return refusal(err)
		}
		now, err := o.state(ctx)
		if err != nil {
			return out, err
		}
		all = append(all, now)
	}
	out.objects = strings.Join(slices.Compact(all), "\n\n")
	return out, nil
}

// routing is what came of a route.
type routing struct{ objects, says string }

// refusal in words is an outcome, anything else is a mistake of ours.
func refusal(err error) (routing, error) {
	if no, ok := errors.AsType[*router.NotReady](err); ok {
		return routing{objects: no.Error()}, nil
	}
	return routing{}, err
}
