package chaos

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router/gloo/api"
)

// end is what came of a scenario, and the way there. It is the same however often the operator died.
type end struct {
	Phase    v1beta1.Phase
	Outcomes []string
	// Weights of the route and Steps of the rollouts, each as often as it was entered.
	Weights, Steps []string
	// Decisions are the reasons of the journal's entries, in order; Events those of them that have an event,
	// and Messages those that arrived, by sink.
	Decisions, Events []string
	Messages          map[string][]string
	// Objects are what is left of workloads, Services and routes, and whom the Services select.
	Objects []string
}

// end looks at how it stands, and at all that led there.
func (w *world) end() (*end, error) {
	history, _ := w.observer.history()
	e := &end{Messages: map[string][]string{}}
	var journal []v1beta1.JournalEntry
	var uid string
	for _, m := range history {
		switch {
		case m.route != nil:
			e.Weights = enter(e.Weights, m.route.String())
		case m.released:
			e.Weights = enter(e.Weights, "released")
		}
		if m.canary == nil {
			continue
		}
		s := m.canary.Status
		if r := s.Rollout; r != nil {
			e.Steps = enter(e.Steps, fmt.Sprintf("%d %s %d/%d", r.Number, r.Step, r.WeightIndex, r.Weights))
		}
		e.Phase, uid = s.Phase, string(m.canary.UID)
		e.Outcomes = nil
		for _, h := range s.History {
			outcome := h.Image + " " + string(h.Outcome)
			if h.Outcome == v1beta1.OutcomeFailed {
				outcome += " " + h.Reason
			}
			e.Outcomes = append(e.Outcomes, outcome)
		}
		for _, j := range s.Journal {
			if n := len(journal); n == 0 || j.Transition > journal[n-1].Transition || j.Transition == journal[n-1].Transition && j.Index > journal[n-1].Index {
				journal = append(journal, j)
			}
		}
	}
	for _, j := range journal {
		e.Decisions = append(e.Decisions, j.Reason)
	}
	for _, sink := range sinks {
		told := w.ledger.told(sink)
		for _, j := range journal {
			if slices.Contains(told, place{uid, j.Transition, j.Index}) {
				e.Messages[sink] = append(e.Messages[sink], j.Reason)
			}
		}
	}
	return e, w.stock(e)
}

// enter adds what is not where the list already stands.
func enter(list []string, s string) []string {
	if n := len(list); n > 0 && list[n-1] == s {
		return list
	}
	return append(list, s)
}

// stock lists the objects of the namespace.
func (w *world) stock(e *end) error {
	var events corev1.EventList
	var deployments appsv1.DeploymentList
	var services corev1.ServiceList
	var slicesOf discoveryv1.EndpointSliceList
	var revisions appsv1.ControllerRevisionList
	var configs corev1.ConfigMapList
	for _, l := range []client.ObjectList{&events, &deployments, &services, &slicesOf, &revisions, &configs} {
		if err := w.c.List(w.ctx, l, client.InNamespace(w.ns)); err != nil {
			return err
		}
	}
	for _, ev := range events.Items {
		if ev.Source.Component != v1beta1.FieldManager {
			continue // the API server tells of Services that it repairs
		}
		for range ev.Count {
			e.Events = append(e.Events, ev.Reason)
		}
	}
	slices.Sort(e.Events)
	add := func(format string, args ...any) { e.Objects = append(e.Objects, fmt.Sprintf(format, args...)) }
	for _, d := range deployments.Items {
		add("Deployment %s: %d pods of %s", d.Name, *d.Spec.Replicas, contents(&d.Spec.Template.Spec))
	}
	for _, s := range services.Items {
		add("Service %s selects %v", s.Name, s.Spec.Selector)
	}
	for _, s := range slicesOf.Items {
		add("EndpointSlice %s", s.Name)
	}
	for _, r := range revisions.Items {
		add("ControllerRevision %s", r.Name)
	}
	for _, c := range configs.Items {
		add("ConfigMap %s", c.Name)
	}
	return w.routed(add)
}

// routed lists Gloo's objects. An Upstream's name holds the namespace, which is another in each run.
func (w *world) routed(add func(string, ...any)) error {
	for _, kind := range []schema.GroupVersionKind{api.RouteTable, api.Upstream} {
		all := &metav1.PartialObjectMetadataList{}
		all.SetGroupVersionKind(kind)
		if err := w.c.List(w.ctx, all, client.InNamespace(w.ns)); err != nil {
			return err
		}
		for _, o := range all.Items {
			add("%s %s", kind.Kind, strings.ReplaceAll(o.Name, w.ns, "namespace"))
		}
	}
	return nil
}
