package standin

import (
	"cmp"
	"context"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// endpoints lists the pods of a Service in one EndpointSlice that carries the Service's labels.
type endpoints struct{ client client.Client }

func (e *endpoints) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var svc corev1.Service
	if err := e.client.Get(ctx, req.NamespacedName, &svc); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if len(svc.Spec.Selector) == 0 {
		return reconcile.Result{}, nil
	}
	want, err := e.slice(ctx, &svc)
	if err != nil {
		return reconcile.Result{}, err
	}
	var live discoveryv1.EndpointSlice
	err = e.client.Get(ctx, client.ObjectKeyFromObject(want), &live)
	switch {
	case apierrors.IsNotFound(err):
		err = e.client.Create(ctx, want)
	case err != nil:
	case !equality.Semantic.DeepEqual(live.Endpoints, want.Endpoints) || !maps.Equal(live.Labels, want.Labels):
		live.Labels, live.Endpoints = want.Labels, want.Endpoints
		err = e.client.Update(ctx, &live)
	}
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return reconcile.Result{RequeueAfter: lookAgain}, nil
	}
	return reconcile.Result{}, err
}

func (e *endpoints) slice(ctx context.Context, svc *corev1.Service) (*discoveryv1.EndpointSlice, error) {
	var l corev1.PodList
	if err := e.client.List(ctx, &l, client.InNamespace(svc.Namespace), client.MatchingLabels(svc.Spec.Selector), client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	slices.SortFunc(l.Items, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	s := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: svc.Namespace, Name: svc.Name + "-standin", Labels: maps.Clone(svc.Labels)},
		AddressType: discoveryv1.AddressTypeIPv4,
	}
	metav1.SetMetaDataLabel(&s.ObjectMeta, discoveryv1.LabelServiceName, svc.Name)
	metav1.SetMetaDataLabel(&s.ObjectMeta, discoveryv1.LabelManagedBy, "standin")
	for i := range l.Items {
		s.Endpoints = append(s.Endpoints, endpoint(&l.Items[i]))
	}
	return s, controllerutil.SetControllerReference(svc, s, e.client.Scheme())
}

func endpoint(p *corev1.Pod) discoveryv1.Endpoint {
	ready := isReady(p) && p.DeletionTimestamp.IsZero()
	return discoveryv1.Endpoint{
		Addresses:  []string{address(p.Name)},
		Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(ready), Serving: ptr.To(ready), Terminating: ptr.To(!p.DeletionTimestamp.IsZero())},
		TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: p.Namespace, Name: p.Name, UID: p.UID},
	}
}
