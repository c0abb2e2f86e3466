package chaos

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/router/gloo/api"
)

// observer sees every version of the Canary, its route and the pods that was ever stored, and what came
// before what: resource versions are one count for all of them.
type observer struct {
	mu   sync.Mutex
	seen []sight
	news chan struct{}
}

// sight is one version of one object; gone marks its deletion.
type sight struct {
	version uint64
	object  client.Object
	gone    bool
}

// watch begins to observe a namespace that holds nothing yet.
func (o *observer) watch(ctx context.Context, c client.WithWatch, namespace string) error {
	o.news = make(chan struct{})
	table := &unstructured.UnstructuredList{}
	table.SetGroupVersionKind(api.RouteTable)
	for _, list := range []client.ObjectList{&v1beta1.CanaryList{}, &appsv1.DeploymentList{}, &discoveryv1.EndpointSliceList{}, &corev1.PodList{}, table} {
		w, err := c.Watch(ctx, list, client.InNamespace(namespace))
		if err != nil {
			return err
		}
		go func() {
			for e := range w.ResultChan() {
				if object, ok := e.Object.(client.Object); ok {
					o.note(object, e.Type == watch.Deleted)
				}
			}
		}()
	}
	return nil
}

func (o *observer) note(object client.Object, gone bool) {
	version, err := strconv.ParseUint(object.GetResourceVersion(), 10, 64)
	if err != nil { // they are numbers
		panic(err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen = append(o.seen, sight{version, object, gone})
	close(o.news)
	o.news = make(chan struct{})
}

// history is all that was seen, in the order in which it came to be, and a channel that is closed when
// there is more.
func (o *observer) history() ([]moment, <-chan struct{}) {
	o.mu.Lock()
	seen, news := slices.Clone(o.seen), o.news
	o.mu.Unlock()
	slices.SortStableFunc(seen, func(a, b sight) int { return cmp.Compare(a.version, b.version) })
	all := []moment{{}}
	for _, s := range seen {
		all = append(all, all[len(all)-1].after(s))
	}
	return all[1:], news
}

// moment is how the namespace stood after one write.
type moment struct {
	// canary is nil before there is one and after it.
	canary *v1beta1.Canary
	// route is the canary's weights in percent; nil where there is no route or it has one destination.
	route *weights
	// released is true once the route has one destination.
	released bool
	// pods, deployments and endpoints by their names.
	pods        map[string]*corev1.Pod
	deployments map[string]*appsv1.Deployment
	endpoints   map[string]*discoveryv1.EndpointSlice
	// revisions are the names of what pods run, as the clones that made them said.
	revisions map[string]string
}

type weights struct{ primary, canary int64 }

func (w *weights) String() string { return fmt.Sprintf("%d/%d", w.primary, w.canary) }

func (m moment) after(s sight) moment {
	switch o := s.object.(type) {
	case *v1beta1.Canary:
		m.canary = o
		if s.gone {
			m.canary = nil
		}
	case *appsv1.Deployment:
		m.deployments = with(m.deployments, o.Name, o, s.gone)
		if r := o.Annotations[v1beta1.RevisionAnnotation]; r != "" {
			m.revisions = with(m.revisions, contents(&o.Spec.Template.Spec), r, false)
		}
	case *discoveryv1.EndpointSlice:
		m.endpoints = with(m.endpoints, o.Name, o, s.gone)
	case *corev1.Pod:
		m.pods = with(m.pods, o.Name, o, s.gone)
	case *unstructured.Unstructured:
		before := m.route
		m.route = weightsOf(o)
		m.released = before != nil && m.route == nil || m.released && m.route == nil
	}
	return m
}

// with is a copy of a map with one more value, or one fewer.
func with[V any](all map[string]V, name string, v V, gone bool) map[string]V {
	all = maps.Clone(all)
	if all == nil {
		all = map[string]V{}
	}
	if all[name] = v; gone {
		delete(all, name)
	}
	return all
}

// weightsOf a RouteTable's sides.
func weightsOf(table *unstructured.Unstructured) *weights {
	var w *weights
	routes, _, _ := unstructured.NestedSlice(table.Object, "spec", "routes")
	for _, r := range routes {
		destinations, _, _ := unstructured.NestedSlice(r.(map[string]any), "routeAction", "multi", "destinations")
		for _, d := range destinations {
			if w == nil {
				w = &weights{}
			}
			weight, _, _ := unstructured.NestedInt64(d.(map[string]any), "weight")
			name, _, _ := unstructured.NestedString(d.(map[string]any), "destination", "upstream", "name")
			if strings.Contains(name, "-canaryupstream-") {
				w.canary += weight
			} else {
				w.primary += weight
			}
		}
	}
	return w
}

// isWarm is true where a side has nothing but so many pods of a revision, and everybody can see it.
func (m moment) isWarm(side, revision string, pods int) bool {
	d := m.deployments["podinfo-"+side]
	if d == nil || d.Annotations[v1beta1.RevisionAnnotation] != revision || d.Status.ObservedGeneration != d.Generation ||
		int(d.Status.Replicas) != pods || int(d.Status.UpdatedReplicas) != pods || int(d.Status.AvailableReplicas) != pods {
		return false
	}
	ready := 0
	for _, s := range m.endpoints {
		if s.Labels[discoveryv1.LabelServiceName] != d.Name {
			continue
		}
		for _, e := range s.Endpoints {
			if p := m.pods[e.TargetRef.Name]; p != nil && *e.Conditions.Ready && m.revisions[contents(&p.Spec)] == revision {
				ready++
			}
		}
	}
	return ready == pods
}

// contents tell the pods of one revision from those of another: the image, and the ConfigMaps.
func contents(s *corev1.PodSpec) string {
	all := []string{s.Containers[0].Image}
	for _, v := range s.Volumes {
		if v.ConfigMap != nil {
			all = append(all, v.ConfigMap.Name)
		}
	}
	return strings.Join(all, " ")
}

// ready counts a side's pods that take requests, those of one revision or, for "", of any.
func (m moment) ready(side, revision string) int {
	n := 0
	for _, p := range m.pods {
		if p.Labels["app"] != "podinfo-"+side || !p.DeletionTimestamp.IsZero() || revision != "" && m.revisions[contents(&p.Spec)] != revision {
			continue
		}
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				n++
			}
		}
	}
	return n
}

// violations are what must never be at any moment.
func violations(history []moment) []string {
	var bad []string
	var before moment
	for _, m := range history {
		bad = append(bad, m.turnsBack(before)...)
		bad = append(bad, m.exposes(before)...)
		before = m
	}
	return bad
}

// turnsBack: the counters of a status only grow.
func (m moment) turnsBack(before moment) []string {
	if m.canary == nil || before.canary == nil {
		return nil
	}
	is, was := m.canary.Status, before.canary.Status
	if is.Transition < was.Transition || is.Told < was.Told {
		return []string{fmt.Sprintf("transition %d after %d, told %d after %d", is.Transition, was.Transition, is.Told, was.Told)}
	}
	return nil
}

// exposes: the weights sum to 100, who has one has ready pods, and who is given more of it has ready
// pods of the revision that it is given for.
func (m moment) exposes(before moment) []string {
	if m.route == nil {
		return nil
	}
	var bad []string
	if m.route.primary+m.route.canary != 100 || m.route.primary < 0 || m.route.canary < 0 {
		bad = append(bad, fmt.Sprintf("weights %s", m.route))
	}
	was := weights{}
	if before.route != nil {
		was = *before.route
	}
	for _, side := range []struct {
		name    string
		is, was int64
		due     string
	}{
		{"primary", m.route.primary, was.primary, m.duePrimary()},
		{"canary", m.route.canary, was.canary, m.dueCanary()},
	} {
		switch {
		case side.is > 0 && m.ready(side.name, "") == 0:
			bad = append(bad, fmt.Sprintf("weights %s without a ready pod of the %s", m.route, side.name))
		case side.is > side.was && m.ready(side.name, side.due) == 0:
			bad = append(bad, fmt.Sprintf("weights %s after %s without a ready pod of %s on the %s", m.route, &was, side.due, side.name))
		}
	}
	return bad
}

// running is the rollout under way; nil when there is none.
func (m moment) running() *v1beta1.RolloutStatus {
	if m.canary == nil || m.canary.Status.Rollout == nil || m.canary.Status.Rollout.EndedAt != nil {
		return nil
	}
	return m.canary.Status.Rollout
}

// dueCanary is the revision that the canary has to run to be given more; empty where any will do. What
// failed while it baked goes back to the revision that was kept warm there.
func (m moment) dueCanary() string {
	switch r := m.running(); {
	case r == nil:
		return ""
	case r.Reason == "BakeFailed":
		return r.From.Name
	default:
		return r.Revision.Name
	}
}

// duePrimary is the same of the primary.
func (m moment) duePrimary() string {
	switch r := m.running(); {
	case r == nil:
		return ""
	case r.Outcome == v1beta1.OutcomePromoted:
		return r.Revision.Name
	default:
		return r.From.Name
	}
}
