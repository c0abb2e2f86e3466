package canary

import (
	"reflect"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
)

const table = `{"apiVersion":"gateway.solo.io/v1","kind":"RouteTable",
"metadata":{"name":"podinfo","namespace":"apps","resourceVersion":"7","generation":3,"labels":{"serin.dev/canary":"podinfo"},"annotations":{"a":"b","kubectl.kubernetes.io/last-applied-configuration":"{}"},
"managedFields":[{"manager":"serin"}]},
"spec":{"weight":1,"routes":[{"matchers":[{"prefix":"/"}],"share":0.5}]},"status":{"statuses":{}}}`

// TestPacked: what a cache goes by is there, and a copy is the whole object but for what nobody reads.
func TestPacked(t *testing.T) {
	routes := &unstructured.Unstructured{}
	if err := routes.UnmarshalJSON([]byte(table)); err != nil {
		t.Fatal(err)
	}
	meta := metav1.ObjectMeta{Namespace: "apps", Name: "podinfo", UID: "u", ResourceVersion: "7", Generation: 3,
		Labels: map[string]string{v1beta1.CanaryLabel: "podinfo"}, ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "serin"}},
		Annotations:       map[string]string{"a": "b", corev1.LastAppliedConfigAnnotation: "{}"},
		DeletionTimestamp: &metav1.Time{Time: time.Unix(1, 0)}, Finalizers: []string{"f"}}
	deployment := &appsv1.Deployment{ObjectMeta: meta}
	deployment.Spec.Replicas = ptr.To[int32](2)
	deployment.Spec.Template.Spec.Containers = []corev1.Container{{Name: "podinfod", Image: "podinfo:6.0.0"}}
	service := &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "podinfo"}}}
	for _, o := range []client.Object{routes, deployment, service} {
		want := o.DeepCopyObject().(client.Object)
		want.SetManagedFields(nil)
		want.SetAnnotations(map[string]string{"a": "b"})
		cached, err := slim(o)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := slim(cached); err != nil || again != cached {
			t.Errorf("%T packed twice is %v (%v), want %v", o, again, err, cached)
		}
		p := cached.(client.Object)
		if p.GetNamespace() != "apps" || p.GetName() != "podinfo" || p.GetResourceVersion() != "7" || p.GetGeneration() != 3 ||
			!reflect.DeepEqual(p.GetLabels(), want.GetLabels()) {
			t.Errorf("a cache goes by %+v", p)
		}
		for range 2 { // what is changed of a copy is not changed in the cache
			got := unpacked(p)
			if !equality.Semantic.DeepEqual(got, want) {
				t.Errorf("unpacked it is\n%v, want\n%v", got, want)
			}
			got.GetLabels()[v1beta1.CanaryLabel] = "another"
			got.GetAnnotations()["a"] = "another"
		}
		if got := unpacked(want); got != want {
			t.Errorf("an object that was never packed became %v", got)
		}
	}
}

// TestCanariesAreReadWhereTheyLie, without the lists that only a copy has.
func TestCanariesAreReadWhereTheyLie(t *testing.T) {
	c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "apps", Name: "podinfo", ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "serin"}}}}
	c.Spec.TargetRef.Name = "podinfo"
	at := metav1.NewTime(time.Unix(7, 0))
	c.Status = v1beta1.CanaryStatus{Phase: v1beta1.PhaseProgressing, Journal: []v1beta1.JournalEntry{{Transition: 7, At: at, What: "a weight"}},
		Conditions: []metav1.Condition{{Type: "Ready", Status: metav1.ConditionTrue, LastTransitionTime: at}}}
	want := c.DeepCopy()
	want.ManagedFields = nil
	cached, err := slim(c)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := slim(cached); err != nil || again != cached {
		t.Errorf("packed twice it is %v (%v), want %v", again, err, cached)
	}
	lies := cached.(*v1beta1.Canary)
	if lies.Status.Journal != nil || lies.Status.Conditions != nil || !reflect.DeepEqual(lies.Spec, want.Spec) || lies.Status.Phase != want.Status.Phase {
		t.Errorf("a Canary is cached as %+v", lies)
	}
	for range 2 {
		got := lies.DeepCopy()
		if err := unpackLists(got); err != nil || !equality.Semantic.DeepEqual(got, want) {
			t.Errorf("a copy is %+v (%v), want %+v", got, err, want)
		}
	}
	if got := want.DeepCopy(); unpackLists(got) != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("a Canary that was never packed became %+v", got)
	}
	lies.ManagedFields[0].FieldsV1 = metav1.NewFieldsV1("no lists")
	if err := unpackLists(lies); err == nil || !strings.Contains(err.Error(), "apps/podinfo") {
		t.Errorf("what cannot be unpacked gives the error %v", err)
	}
}

// TestAnnotationsStayAMap: where there is none, a patch would put a new one in the place of what kubectl wrote.
func TestAnnotationsStayAMap(t *testing.T) {
	for annotations, want := range map[string]map[string]string{corev1.LastAppliedConfigAnnotation: {}, "": nil} {
		d := &appsv1.Deployment{}
		if annotations != "" {
			d.Annotations = map[string]string{annotations: "{}"}
		}
		cached, err := slim(d)
		if err != nil {
			t.Fatal(err)
		}
		if got := unpacked(cached.(client.Object)).GetAnnotations(); !reflect.DeepEqual(got, want) {
			t.Errorf("annotations are %#v, want %#v", got, want)
		}
	}
}

func TestPodsAreCountable(t *testing.T) {
	pod := podMetadata()
	pod.Name, pod.Namespace, pod.ResourceVersion = "podinfo-x", "apps", "7"
	want := pod.DeepCopy()
	want.Labels = map[string]string{v1beta1.CanaryLabel: "podinfo", v1beta1.RevisionLabel: "podinfo-1"}
	pod.Labels = map[string]string{"app": "podinfo", v1beta1.CanaryLabel: "podinfo", v1beta1.RevisionLabel: "podinfo-1"}
	pod.Annotations = map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{}"}
	pod.OwnerReferences = []metav1.OwnerReference{{Name: "podinfo"}}
	want.TypeMeta = metav1.TypeMeta{} // which a cache adds
	cached, err := countable(pod)
	if err != nil {
		t.Fatal(err)
	}
	if got := unpacked(cached.(client.Object)); !equality.Semantic.DeepEqual(got, want) {
		t.Errorf("a pod is cached as %v, want %v", got, want)
	}
}
