package workload

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Object is a workload that makes pods of a template: a target, or a clone of one. The kinds differ
// in how they are sized and emptied, and in how they report.
type Object interface {
	metav1.Object
	// Raw is the object as a client takes it.
	Raw() client.Object
	// Kind as users write it.
	Kind() string
	Selector() *metav1.LabelSelector
	// Template is the pod template as its owner wrote it, without what keeps the pods away.
	Template() *corev1.PodTemplateSpec
	// Replicas wanted. A DaemonSet has as many as there are nodes for it, and at least one while it
	// is not emptied: that none is there yet does not make it empty.
	Replicas() int32
	// Sized is true when it has so many already. Nodes give a DaemonSet's number: it has none or all.
	Sized(replicas int32) bool
	// Counts are what the cluster last reported.
	Counts() Counts
	// Trouble is why pods do not come up, in the cluster's words.
	Trouble() string
	// Emptying is the merge patch of the spec that takes all pods away, and the annotation that keeps
	// what it changes. Nil where the kind has a scale instead.
	Emptying() *Emptying
	// Filling brings the pods back that Emptying took away: nil where the kind has a scale instead.
	Filling() *Change
	// SizeField is the path of what sizes it.
	SizeField() string

	// unfit says why two revisions of such a target could not stand side by side.
	unfit() []string
	// pace is the field and value of a clone's rollout: never fewer pods than wanted.
	pace() (field string, value map[string]any)
	// rest adds to a clone's spec what is the kind's own.
	rest(spec map[string]any)
	// size is where in a clone's spec its size stands, and the value for so many pods on those nodes.
	size(nodes map[string]string, replicas int32) (path []string, value any)
}

// Counts of pods. They are about the present template when Synced is true.
type Counts struct {
	Pods, Updated, Available int32
	Synced                   bool
}

// Emptying is how an object without a scale is brought to zero.
type Emptying struct {
	// Spec is a merge patch.
	Spec map[string]any
	// Annotation keeps Original.
	Annotation, Original string
}

// Change is one operation of a JSON patch.
type Change struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// Kinds of workloads.
const (
	KindDeployment = "Deployment"
	KindDaemonSet  = "DaemonSet"
)

// Blank is an empty object of a kind, to be read into; nil for a kind that makes no pods.
func Blank(kind string) client.Object {
	switch kind {
	case KindDeployment:
		return &appsv1.Deployment{}
	case KindDaemonSet:
		return &appsv1.DaemonSet{}
	default:
		return nil
	}
}

// Of takes an object of one of the kinds; nil for any other.
func Of(o client.Object) Object {
	switch o := o.(type) {
	case *appsv1.Deployment:
		return deployment{o}
	case *appsv1.DaemonSet:
		return daemonSet{o}
	default:
		return nil
	}
}
