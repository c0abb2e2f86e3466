// Package deploy_test holds the tests of what users install: the chart, the kustomize base and the
// samples. They run the real helm and kustomize, which deploy/tools pins.
package deploy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	serializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/apis/v1beta1"
)

const (
	chart     = "charts/serin"
	release   = "serin"
	namespace = "serin-system"
)

// maxObject is what kubectl can put into an annotation, and so the largest object that a client-side
// apply can handle.
const maxObject = 256 << 10

func newScheme(t testing.TB) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, v1beta1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return scheme
}

var helm, kustomize = tool("helm"), tool("kustomize")

// tool returns the path of a program that deploy/tools pins. The go command builds it at the first
// use, which takes minutes, and keeps it in its cache.
func tool(name string) func(testing.TB) string {
	build := sync.OnceValues(func() (string, error) {
		var stderr bytes.Buffer
		cmd := exec.Command("go", "tool", "-C", "tools", "-n", name)
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("build %s: %w\n%s", name, err, &stderr)
		}
		return strings.TrimSpace(string(out)), nil
	})
	return func(t testing.TB) string {
		t.Helper()
		path, err := build()
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
}

// run returns what a program prints, and as the error what it complains about.
func run(program string, args ...string) (string, error) {
	var stderr bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", filepath.Base(program), strings.Join(args, " "), err, &stderr)
	}
	return string(out), nil
}

// template renders the chart. The version is a server's: a helm that is not an official build
// believes in an ancient one.
func template(t testing.TB, args ...string) (string, error) {
	t.Helper()
	return run(helm(t), append([]string{"template", release, chart, "--namespace", namespace, "--kube-version", "1.36.0"}, args...)...)
}

func mustTemplate(t testing.TB, args ...string) objects {
	t.Helper()
	out, err := template(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, out)
}

// objects are rendered manifests.
type objects []client.Object

// decode reads manifests into Go's types, strictly, and into maps where there is no type.
func decode(t testing.TB, manifests string) objects {
	t.Helper()
	scheme := newScheme(t)
	strict := serializer.NewSerializerWithOptions(serializer.DefaultMetaFactory, scheme, scheme, serializer.SerializerOptions{Strict: true})
	decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(manifests), 4096)
	var all objects
	for {
		var raw json.RawMessage
		err := decoder.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%v in:\n%s", err, manifests)
		}
		if len(raw) == 0 || string(raw) == "null" {
			continue
		}
		o, _, err := strict.Decode(raw, nil, nil)
		if runtime.IsNotRegisteredError(err) {
			u := &unstructured.Unstructured{}
			o, err = u, u.UnmarshalJSON(raw)
		}
		if err != nil {
			t.Fatalf("%v in:\n%s", err, raw)
		}
		all = append(all, o.(client.Object))
	}
}

// find returns the only object of a type that has the name.
func find[T client.Object](t testing.TB, all objects, name string) T {
	t.Helper()
	found := list[T](all)
	found = slices.DeleteFunc(found, func(o T) bool { return o.GetName() != name })
	if len(found) != 1 {
		var none T
		t.Fatalf("%d objects of type %T are called %s, want 1", len(found), none, name)
	}
	return found[0]
}

func list[T client.Object](all objects) []T {
	var found []T
	for _, o := range all {
		if typed, ok := o.(T); ok {
			found = append(found, typed)
		}
	}
	return found
}

// has reports whether there is an object of the kind and name.
func has(all objects, kind, name string) bool {
	return slices.ContainsFunc(all, func(o client.Object) bool {
		return kindOf(o).Kind == kind && o.GetName() == name
	})
}

func kindOf(o client.Object) schema.GroupVersionKind { return o.GetObjectKind().GroupVersionKind() }

// operator is the operator's container and the pod it is in.
func operator(t testing.TB, all objects) (corev1.PodSpec, corev1.Container) {
	t.Helper()
	pod := find[*appsv1.Deployment](t, all, "serin").Spec.Template.Spec
	if len(pod.Containers) != 1 {
		t.Fatalf("the operator has %d containers, want 1", len(pod.Containers))
	}
	return pod, pod.Containers[0]
}

func role(t testing.TB, file string) *rbacv1.ClusterRole {
	t.Helper()
	var r rbacv1.ClusterRole
	load(t, filepath.Join("rbac", file), &r)
	return &r
}

func load(t testing.TB, file string, into any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(data, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
