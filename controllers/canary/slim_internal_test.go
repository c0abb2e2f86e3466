package canary

import (
	"reflect"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/serin-dev/serin/apis/v1beta1"
)

const table = `{"apiVersion":"gateway.solo.io/v1","kind":"RouteTable",
"metadata":{"name":"podinfo","namespace":"apps","resourceVersion":"7","generation":3,"labels":{"serin.dev/canary":"podinfo"},"annotations":{"a":"b","kubectl.kubernetes.io/last-applied-configuration":"{}"},
"managedFields":[{"manager":"serin"}]},
"spec":{"weight":1,"routes":[{"matchers":[{"prefix":"/"}],"share":0.5}]},"status":{"statuses":{}}}`

func TestPacked(t *testing.T) {
	whole := func() *unstructured.Unstructured {
		u := &unstructured.Unstructured{}
		if err := u.UnmarshalJSON([]byte(table)); err != nil {
			t.Fatal(err)
		}
		return u
	}
	cached, err := slim(whole())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := slim(cached); err != nil || !reflect.DeepEqual(again, cached) {
		t.Errorf("packed twice it is %v (%v), want %v", again, err, cached)
	}
	p := cached.(*unstructured.Unstructured)
	if p.GetKind() != "RouteTable" || p.GetNamespace() != "apps" || p.GetName() != "podinfo" || p.GetResourceVersion() != "7" ||
		p.GetLabels()[v1beta1.CanaryLabel] != "podinfo" || p.Object["spec"] != nil {
		t.Errorf("a cache goes by %v", p.Object)
	}
	want := whole()
	want.SetManagedFields(nil)
	want.SetAnnotations(map[string]string{"a": "b"})
	before := p.DeepCopy()
	if got := unpacked(p); !reflect.DeepEqual(got, want) {
		t.Errorf("unpacked it is %v, want %v", got, want)
	}
	list := &unstructured.UnstructuredList{Items: []unstructured.Unstructured{*p}}
	if err := unpackAll(list); err != nil || !reflect.DeepEqual(&list.Items[0], want) {
		t.Errorf("in a list it is %v (%v), want %v", list.Items[0], err, want)
	}
	if !reflect.DeepEqual(p, before) {
		t.Errorf("what the cache has became %v", p.Object)
	}
	if got := unpacked(want); !reflect.DeepEqual(got, want) {
		t.Errorf("an object that was never packed became %v", got)
	}
	if err := unpackAll(&unstructured.UnstructuredList{Items: []unstructured.Unstructured{{Object: map[string]any{packed: "no JSON"}}}}); err == nil || !strings.Contains(err.Error(), "unpack") {
		t.Errorf("what cannot be unpacked gives the error %v", err)
	}
}

// TestAnnotationsStayAMap: where there is none, a patch would put a new one in the place of what kubectl wrote.
func TestAnnotationsStayAMap(t *testing.T) {
	d := &appsv1.Deployment{}
	d.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: "{}"}
	if got, err := slim(d); err != nil || !reflect.DeepEqual(got.(*appsv1.Deployment).Annotations, map[string]string{}) {
		t.Errorf("annotations are %#v (%v), want none in a map", d.Annotations, err)
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
	if got, err := countable(pod); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("a pod is cached as %v (%v), want %v", got, err, want)
	}
}
