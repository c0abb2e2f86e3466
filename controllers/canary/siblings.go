package canary

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// AcknowledgeAnnotation on a Canary lets an adoption go on that leaves other Services without pods.
const AcknowledgeAnnotation = "serin.dev/acknowledge-siblings"

// seeSiblings holds an adoption that would take the pods away from another Service: once the target
// is a template, only the apex Service is turned to the primary's pods.
func (r *Reconciler) seeSiblings(ctx context.Context, v *view) error {
	begun := v.canary.Status.Promoted != nil && v.canary.Status.Initialization == nil
	if begun || v.target == nil || v.label.Key == "" || v.canary.Annotations[AcknowledgeAnnotation] == "true" {
		return nil
	}
	var l corev1.ServiceList
	if err := r.client.List(ctx, &l, client.InNamespace(v.canary.Namespace)); err != nil {
		return fmt.Errorf("list Services beside %s: %w", v.canary.ApexName(), err)
	}
	var names []string
	for i := range l.Items {
		s := &l.Items[i]
		ours := s.Name == v.canary.ApexName() || s.Labels[v1beta1.CanaryLabel] != ""
		if ours || s.Spec.Selector[v.label.Key] != v.label.Value {
			continue
		}
		if labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(v.target.Template().Labels)) {
			names = append(names, s.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	v.problem("SiblingServices", "%s also selected by %s=%s and would be left without pods when %s %s goes to zero: turn them to %s=%s once the primary is up, or give the Service that traffic uses in spec.service.name, then set annotation %s=true on the Canary",
		plural(names), v.label.Key, v.label.Value, v.target.Kind(), v.target.GetName(), v.label.Key, v.label.Of(v1beta1.RolePrimary), AcknowledgeAnnotation)
	return nil
}

func plural(names []string) string {
	if len(names) == 1 {
		return "Service " + names[0] + " is"
	}
	return "Services " + strings.Join(names, ", ") + " are"
}
