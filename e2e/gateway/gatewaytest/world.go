// Package gatewaytest helps the gateway's own tests: worlds written as YAML,
// and waiting without sleeping.
package gatewaytest

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/serin-dev/serin/e2e/gateway/gloo"
	"github.com/serin-dev/serin/e2e/gateway/translate"
)

// Objects reads the documents of a YAML file.
func Objects(t *testing.T, file []byte) []*unstructured.Unstructured {
	t.Helper()
	var out []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(file), 4096)
	for {
		u := &unstructured.Unstructured{}
		err := decoder.Decode(u)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("read YAML: %v", err)
		}
		if len(u.Object) > 0 {
			out = append(out, u)
		}
	}
}

// World makes a translation's input of YAML documents.
func World(t *testing.T, file []byte) translate.World {
	t.Helper()
	w := translate.World{PodLabels: map[gloo.Ref]map[string]string{}}
	for _, u := range Objects(t, file) {
		switch u.GetKind() {
		case gloo.VirtualServiceKind.Kind:
			w.VirtualServices = append(w.VirtualServices, gloo.DecodeVirtualService(u))
		case gloo.RouteTableKind.Kind:
			w.RouteTables = append(w.RouteTables, gloo.DecodeRouteTable(u))
		case gloo.UpstreamKind.Kind:
			w.Upstreams = append(w.Upstreams, gloo.DecodeUpstream(u))
		case "Service":
			w.Services = append(w.Services, typed(t, u, &corev1.Service{}))
		case "EndpointSlice":
			w.Slices = append(w.Slices, typed(t, u, &discoveryv1.EndpointSlice{}))
		case "Pod":
			w.PodLabels[gloo.Ref{Name: u.GetName(), Namespace: u.GetNamespace()}] = u.GetLabels()
		default:
			t.Fatalf("a world has no place for a %s", u.GetKind())
		}
	}
	return w
}

func typed[T any](t *testing.T, u *unstructured.Unstructured, into T) T {
	t.Helper()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, into); err != nil {
		t.Fatalf("read %s %s: %v", u.GetKind(), u.GetName(), err)
	}
	return into
}

// Eventually calls check until it returns nil, and fails the test with its
// last error when that takes too long.
func Eventually(t *testing.T, limit time.Duration, check func() error) {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("still not after %v: %v", limit, err)
		case <-tick.C:
		}
	}
}

// Holds calls check for a while and fails the test with its first error.
func Holds(t *testing.T, span time.Duration, check func() error) {
	t.Helper()
	over := time.After(span)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := check(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-over:
			return
		case <-tick.C:
		}
	}
}
