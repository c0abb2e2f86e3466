package router_test

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/serin-dev/serin/router"
)

func TestScanning(t *testing.T) {
	service := func(namespace, name, external string) *corev1.Service {
		return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: corev1.ServiceSpec{ExternalName: external}}
	}
	c := router.Scanning{
		Client: fake.NewClientBuilder().WithObjects(service("a", "x", "one"), service("a", "y", "two"), service("b", "z", "one")).Build(),
		Indexes: map[string]client.IndexerFunc{"external": func(o client.Object) []string {
			return []string{o.(*corev1.Service).Spec.ExternalName}
		}},
	}
	for name, tc := range map[string]struct {
		by   []client.ListOption
		want []string
	}{
		"everything":                    {nil, []string{"a/x", "a/y", "b/z"}},
		"by an index":                   {[]client.ListOption{client.MatchingFields{"external": "one"}}, []string{"a/x", "b/z"}},
		"by an index, in one namespace": {[]client.ListOption{client.MatchingFields{"external": "one"}, client.InNamespace("b")}, []string{"b/z"}},
		"by an index that finds nobody": {[]client.ListOption{client.MatchingFields{"external": "three"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var l corev1.ServiceList
			if err := c.List(t.Context(), &l, tc.by...); err != nil {
				t.Fatal(err)
			}
			var got []string
			for i := range l.Items {
				got = append(got, client.ObjectKeyFromObject(&l.Items[i]).String())
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("found %v, want %v", got, tc.want)
			}
		})
	}
	if err := c.List(t.Context(), &corev1.ServiceList{}, client.MatchingFields{"unknown": "x"}); err == nil {
		t.Error("a field that nobody indexes found nothing and said nothing")
	}
}
