package canary

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// AcknowledgeAnnotation on a Canary lets an adoption go on that leaves other Services without pods, or
// pods without their NetworkPolicies.
const AcknowledgeAnnotation = "serin.dev/acknowledge-siblings"

// seeSiblings holds an adoption that would take the pods away from what others select them by: once
// the target is a template, only the apex Service is turned to the primary's pods.
func (r *Reconciler) seeSiblings(ctx context.Context, v *view) error {
	if !adopting(v.canary) || v.target == nil || v.label.Key == "" || v.canary.Annotations[AcknowledgeAnnotation] == "true" {
		return nil
	}
	if err := r.seeSiblingServices(ctx, v); err != nil {
		return err
	}
	return r.seePolicies(ctx, v)
}

// adopting is true until the target is a template.
func adopting(c *v1beta1.Canary) bool {
	return c.Status.Promoted == nil || c.Status.Initialization != nil
}

func (r *Reconciler) seeSiblingServices(ctx context.Context, v *view) error {
	var l corev1.ServiceList
	if err := r.client.List(ctx, &l, client.InNamespace(v.canary.Namespace)); err != nil {
		return fmt.Errorf("list Services beside %s: %w", v.canary.ApexName(), err)
	}
	var names []string
	for i := range l.Items {
		s := &l.Items[i]
		ours := s.Name == v.canary.ApexName() || s.Labels[v1beta1.CanaryLabel] != ""
		if !ours && v.loses(&metav1.LabelSelector{MatchLabels: s.Spec.Selector}) {
			names = append(names, s.Name)
		}
	}
	if len(names) > 0 {
		v.problem("SiblingServices", "%s pods by %s=%s and would be left without them when %s %s goes to zero: turn them to %s=%s once the primary is up, or give the Service that traffic uses in spec.service.name, then set annotation %s=true on the Canary",
			selects("Service", "Services", names), v.label.Key, v.label.Value, v.target.Kind(), v.target.GetName(), v.label.Key, v.label.Of(v1beta1.RolePrimary), AcknowledgeAnnotation)
	}
	return nil
}

// seePolicies looks at the NetworkPolicies of the namespace, at whom they protect and whom they let
// in. Those of other namespaces may let the pods in too; the operator need not be able to read them.
func (r *Reconciler) seePolicies(ctx context.Context, v *view) error {
	var l networkingv1.NetworkPolicyList
	if err := r.client.List(ctx, &l, client.InNamespace(v.canary.Namespace)); err != nil {
		return fmt.Errorf("list NetworkPolicies beside %s: %w", v.target.GetName(), err)
	}
	var names []string
	for i := range l.Items {
		if slices.ContainsFunc(selectors(&l.Items[i].Spec), v.loses) {
			names = append(names, l.Items[i].Name)
		}
	}
	if len(names) > 0 {
		primary, canary := v.label.Of(v1beta1.RolePrimary), v.label.Of(v1beta1.RoleCanary)
		v.problem("SiblingPolicies", "%s pods by %s=%s and would not hold for the pods of the primary and the canary: select %s in (%s, %s, %s) instead, or set annotation %s=true on the Canary",
			selects("NetworkPolicy", "NetworkPolicies", names), v.label.Key, v.label.Value, v.label.Key, v.label.Value, primary, canary, AcknowledgeAnnotation)
	}
	return nil
}

// selectors are those by which a policy may mean pods of its own namespace.
func selectors(p *networkingv1.NetworkPolicySpec) []*metav1.LabelSelector {
	out := []*metav1.LabelSelector{&p.PodSelector}
	peers := []networkingv1.NetworkPolicyPeer{}
	for _, rule := range p.Ingress {
		peers = append(peers, rule.From...)
	}
	for _, rule := range p.Egress {
		peers = append(peers, rule.To...)
	}
	for _, peer := range peers {
		if peer.PodSelector != nil {
			out = append(out, peer.PodSelector)
		}
	}
	return out
}

// loses is true when a selector has the target's pods and not those of one of its clones.
func (v *view) loses(selector *metav1.LabelSelector) bool {
	if len(selector.MatchLabels)+len(selector.MatchExpressions) == 0 {
		return false
	}
	return v.label.Loses(selector, v.target, v1beta1.RolePrimary) || v.label.Loses(selector, v.target, v1beta1.RoleCanary)
}

// selects is the beginning of a sentence about all of them.
func selects(kind, kinds string, names []string) string {
	slices.Sort(names)
	if len(names) == 1 {
		return kind + " " + names[0] + " selects"
	}
	return kinds + " " + strings.Join(names, ", ") + " select"
}

// adoptingIn wakes the canaries that wait for what stands beside their target.
func (r *Reconciler) adoptingIn(ctx context.Context, o client.Object) []reconcile.Request {
	var l v1beta1.CanaryList
	if err := r.client.List(ctx, &l, client.InNamespace(o.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil { // as in find
		ctxlog(ctx).Error(err, "list canaries beside a changed object")
		return nil
	}
	l.Items = slices.DeleteFunc(l.Items, func(c v1beta1.Canary) bool { return !adopting(&c) })
	return requests(keysOf(l.Items))
}
