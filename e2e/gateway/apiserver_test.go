package main

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"testing"
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/go-logr/logr"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/e2e/gateway/crds"
	"github.com/serin-dev/serin/e2e/gateway/gatewaytest"
	"github.com/serin-dev/serin/e2e/gateway/gloo"
	"github.com/serin-dev/serin/e2e/gateway/manifests"
	"github.com/serin-dev/serin/e2e/gateway/translate"
)

// glooCRDs names a folder with Gloo's own CRDs. They are not part of this
// repository; where they are at hand, everything is tried on them too.
const glooCRDs = "SERIN_GLOO_CRDS"

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard())
	os.Exit(m.Run())
}

// api is a real API server with the control plane working on it.
type api struct {
	client.Client
	plane *plane
}

func startAPI(t *testing.T, options envtest.CRDInstallOptions) *api {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("KUBEBUILDER_ASSETS is not set: this test needs a folder with etcd, kube-apiserver and kubectl")
	}
	env := &envtest.Environment{}
	cfg, err := env.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	c, err := client.New(cfg, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a := &api{Client: c}
	a.apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: test}}")
	a.applyManifests(t)
	a.plane = startPlane(t, cfg, options)
	return a
}

// applyManifests applies all that runs in a cluster. Here nothing runs it, but
// the API server accepts it, and the rights that it grants are in force.
func (a *api) applyManifests(t *testing.T) {
	t.Helper()
	files, err := fs.Glob(manifests.FS, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		raw, err := manifests.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		a.apply(t, string(raw))
	}
}

// startPlane runs the control plane with the rights that it has in a cluster,
// and, as may happen there, a moment before its CRDs are there.
func startPlane(t *testing.T, cfg *rest.Config, options envtest.CRDInstallOptions) *plane {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	limited := rest.CopyConfig(cfg)
	limited.Impersonate.UserName = "system:serviceaccount:gloo-system:gloo"
	made := make(chan *plane, 1)
	ended := make(chan error, 1)
	go func() {
		p, err := newPlane(ctx, limited, translate.Settings{Namespace: "gloo-system", Address: "0.0.0.0", Port: 8080})
		made <- p
		if err == nil {
			err = p.run(ctx, func() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") })
		}
		ended <- err
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("control plane: %v", err)
		}
	})
	if _, err := envtest.InstallCRDs(cfg, options); err != nil {
		t.Fatal(err)
	}
	p := <-made
	if p == nil {
		t.FailNow() // the cleanup says why
	}
	return p
}

// ownCRDs are those of this repository.
func ownCRDs(t *testing.T) envtest.CRDInstallOptions {
	t.Helper()
	files, err := fs.Glob(crds.FS, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var options envtest.CRDInstallOptions
	for _, name := range files {
		raw, err := crds.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(raw, crd); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		options.CRDs = append(options.CRDs, crd)
	}
	return options
}

// apply applies YAML documents as a user would, with fields checked strictly.
func (a *api) apply(t *testing.T, documents string) {
	t.Helper()
	for _, u := range gatewaytest.Objects(t, []byte(documents)) {
		err := a.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(u), client.FieldOwner("user"), client.ForceOwnership)
		if err != nil {
			t.Fatalf("apply %s %s: %v", u.GetKind(), u.GetName(), err)
		}
	}
}

func (a *api) get(t *testing.T, id gloo.ID) *unstructured.Unstructured {
	t.Helper()
	u := ofKind(id.Kind)
	if err := a.Get(t.Context(), types.NamespacedName{Namespace: id.Namespace, Name: id.Name}, u); err != nil {
		t.Fatal(err)
	}
	return u
}

// status reads what Gloo would have written.
func (a *api) status(t *testing.T, id gloo.ID) map[string]any {
	t.Helper()
	s, _, err := unstructured.NestedMap(a.get(t, id).Object, "status", "statuses", "gloo-system")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// reaches waits for a state, and for the state of the proxy below it.
func (a *api) reaches(t *testing.T, id gloo.ID, state, proxy string) map[string]any {
	t.Helper()
	var s map[string]any
	gatewaytest.Eventually(t, 20*time.Second, func() error {
		s = a.status(t, id)
		below, _, _ := unstructured.NestedString(s, "subresourceStatuses", "*v1.Proxy.gateway-proxy_gloo-system", "state")
		if s["state"] != state || below != proxy {
			return fmt.Errorf("status of %s is %v, want %s and %s", id.Ref, s, state, proxy)
		}
		return nil
	})
	return s
}

// canaryWeight is the second weight that Envoy would get.
func (a *api) canaryWeight() (uint32, error) {
	snapshot, err := a.plane.publisher.cache.GetSnapshot(everyProxy)
	if err != nil {
		return 0, err
	}
	for _, r := range snapshot.GetResources(resource.RouteType) {
		for _, h := range r.(*routev3.RouteConfiguration).VirtualHosts {
			if clusters := h.Routes[0].GetRoute().GetWeightedClusters().GetClusters(); len(clusters) == 2 {
				return clusters[1].Weight.Value, nil
			}
		}
	}
	return 0, fmt.Errorf("no weights among the routes")
}

// inForce fails while Envoy would get another weight.
func (a *api) inForce(want uint32) func() error {
	return func() error {
		got, err := a.canaryWeight()
		if err == nil && got != want {
			err = fmt.Errorf("canary's weight is %d, want %d", got, want)
		}
		return err
	}
}
