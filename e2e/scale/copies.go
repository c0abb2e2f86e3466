package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"golang.org/x/sync/errgroup"

	"github.com/serin-dev/serin/e2e/internal/bare"
)

// kinds are what a namespace of canaries at rest holds, owners before what names them. Pods and
// EndpointSlices are left to the stand-in.
var kinds = []schema.GroupVersionKind{
	{Version: "v1", Kind: "ConfigMap"},
	{Version: "v1", Kind: "Secret"},
	{Version: "v1", Kind: "Service"},
	{Group: "apps", Version: "v1", Kind: "Deployment"},
	{Group: "serin.dev", Version: "v1beta1", Kind: "Canary"},
	{Group: "apps", Version: "v1", Kind: "ControllerRevision"},
	{Group: "gloo.solo.io", Version: "v1", Kind: "Upstream"},
	{Group: "gateway.solo.io", Version: "v1", Kind: "RouteTable"},
	{Group: "gateway.solo.io", Version: "v1", Kind: "VirtualService"},
}

// multiply copies the first namespace, whose canaries the operator has adopted, until there are as many
// as wanted. To adopt each of thousands would take hours of an API server on two cores.
func (f *fleet) multiply(ctx context.Context) error {
	var all []unstructured.Unstructured
	for _, kind := range kinds {
		var l unstructured.UnstructuredList
		l.SetGroupVersionKind(kind)
		if err := f.Client.List(ctx, &l, client.InNamespace(team(0))); err != nil {
			return err
		}
		all = append(all, l.Items...)
	}
	copiers, copying := errgroup.WithContext(ctx)
	copiers.SetLimit(8)
	for i := 1; i < f.size/beside; i++ {
		copiers.Go(func() error { return f.copyTo(copying, team(i), all) })
	}
	if err := copiers.Wait(); err != nil {
		return err
	}
	return f.podsAreThere(ctx)
}

func (f *fleet) copyTo(ctx context.Context, namespace string, all []unstructured.Unstructured) error {
	if err := f.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		return err
	}
	renames := []string{team(0), namespace} // and UIDs, of what is copied already
	for i := range all {
		from := &all[i]
		if from.GetName() == "kube-root-ca.crt" {
			continue
		}
		o, err := copied(from, renames)
		if err != nil {
			return err
		}
		status := o.Object["status"]
		if err := f.Client.Create(ctx, o); err != nil {
			return fmt.Errorf("copy %s %s: %w", o.GetKind(), o.GetName(), err)
		}
		renames = append(renames, string(from.GetUID()), string(o.GetUID()))
		if o.GetKind() != "Canary" {
			continue
		}
		o.Object["status"] = status
		if err := f.Client.Status().Update(ctx, o); err != nil {
			return fmt.Errorf("copy the status of %s: %w", o.GetName(), err)
		}
	}
	return nil
}

// copied is an object as a user would write it.
func copied(from *unstructured.Unstructured, renames []string) (*unstructured.Unstructured, error) {
	b, err := json.Marshal(from.Object)
	if err != nil {
		return nil, err
	}
	o := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(strings.NewReplacer(renames...).Replace(string(b))), &o.Object); err != nil {
		return nil, err
	}
	for _, field := range []string{"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"} {
		unstructured.RemoveNestedField(o.Object, "metadata", field)
	}
	if o.GetKind() == "Service" {
		for _, field := range []string{"clusterIP", "clusterIPs"} {
			unstructured.RemoveNestedField(o.Object, "spec", field)
		}
	}
	return o, nil
}

// podsAreThere waits until the stand-in has reported on every Deployment.
func (f *fleet) podsAreThere(ctx context.Context) error {
	for {
		var l unstructured.UnstructuredList
		l.SetGroupVersionKind(schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"})
		if err := f.Client.List(ctx, &l); err != nil {
			return err
		}
		missing := slices.DeleteFunc(l.Items, func(o unstructured.Unstructured) bool {
			want, _, _ := unstructured.NestedInt64(o.Object, "spec", "replicas")
			have, _, _ := unstructured.NestedInt64(o.Object, "status", "availableReplicas")
			seen, _, _ := unstructured.NestedInt64(o.Object, "status", "observedGeneration")
			return want == have && seen == o.GetGeneration()
		})
		if len(missing) == 0 {
			return nil
		}
		progress("  %d Deployments wait for their pods", len(missing))
		if err := bare.Pause(ctx, 5*time.Second); err != nil {
			return err
		}
	}
}

// comesToRest waits until the operator, which was started beside canaries that it does not know, has
// nothing more to do.
func (f *fleet) comesToRest(ctx context.Context) error {
	var turns uint64
	for quiet := 0; quiet < 3; {
		if err := bare.Pause(ctx, settled); err != nil {
			return err
		}
		u, err := f.op.usage(ctx)
		if err != nil {
			return err
		}
		quiet++
		now := u.turns - f.op.gone.turns
		if now != turns || now < uint64(f.size) {
			quiet = 0
		}
		turns = now
		progress("  %d turns", turns)
	}
	return nil
}
