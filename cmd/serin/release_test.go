package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/apis/v1beta1"
	"github.com/serin-dev/serin/pkg/apitest"
)

func TestMain(m *testing.M) { apitest.Main(m) }

func TestReleaseTakesTheOperatorsFlags(t *testing.T) {
	env := environment(map[string]string{"POD_NAMESPACE": "serin-system"})
	got, err := parseRelease([]string{"--force", "--timeout=30s", "--provider=gloo", "--selector-labels=app", "--namespace=shop", "shop/a", "shop/b"}, env)
	if err != nil {
		t.Fatal(err)
	}
	want := []types.NamespacedName{{Namespace: "shop", Name: "a"}, {Namespace: "shop", Name: "b"}}
	if !got.force || got.all || got.timeout != 30*time.Second || !cmp.Equal(got.canaries, want) || !cmp.Equal(got.selectorLabels, []string{"app"}) ||
		got.namespace != "shop" || got.leaderNamespace != "serin-system" {
		t.Errorf("%+v", got)
	}
	for args, want := range map[string]string{
		"":              "name the canaries to release, as NAMESPACE/NAME, or give --all",
		"--all shop/a":  "name the canaries to release, as NAMESPACE/NAME, or give --all",
		"podinfo":       `"podinfo" does not name a Canary: want NAMESPACE/NAME`,
		"--all --every": "flag provided but not defined: -every",
	} {
		if _, err := parseRelease(strings.Fields(args), env); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %q", args, err, want)
		}
	}
}

// stranded is a Canary that an operator adopted, whose router and Deployment are gone, and which no
// operator works on any more.
func stranded(t *testing.T, c client.Client) *v1beta1.Canary {
	t.Helper()
	o := &v1beta1.Canary{}
	o.Namespace, o.Name, o.Finalizers = apitest.Namespace(t, c), "podinfo", []string{v1beta1.ReleaseFinalizer}
	o.Spec.TargetRef = v1beta1.LocalObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "podinfo"}
	o.Spec.Service.Port = 9898
	o.Spec.SkipAnalysis = true
	if err := c.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	o.Status.Phase = v1beta1.PhaseInitialized
	o.Status.LastPromotedSpec = "podinfo-1"
	o.Status.Promoted = &v1beta1.RevisionStatus{Name: "podinfo-1", Image: "podinfo:6.0.0"}
	if err := c.Status().Update(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestReleaseWorksWithoutAnOperator: what nobody touches is released from here; without --force it is
// told at the end.
func TestReleaseWorksWithoutAnOperator(t *testing.T) {
	c, err := client.New(apitest.Start(t), client.Options{Scheme: newScheme()})
	if err != nil {
		t.Fatal(err)
	}
	o := stranded(t, c)
	var out bytes.Buffer
	r := &releaser{client: c, out: &out, look: 50 * time.Millisecond, patience: 200 * time.Millisecond}
	r.provider, r.selectorLabels, r.namespace, r.all = "gloo", []string{"app"}, o.Namespace, true

	r.timeout = time.Second
	ctx, cancel := context.WithTimeout(t.Context(), r.timeout)
	defer cancel()
	if err := r.run(ctx); err == nil || !strings.Contains(err.Error(), "1 canaries are not released after 1s; "+o.Namespace+"/podinfo: ") {
		t.Errorf("without --force: %v", err)
	}
	r.force = true
	ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := r.run(ctx); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if !strings.Contains(out.String(), "no operator works on "+o.Namespace+"/podinfo: it is released from here") {
		t.Errorf("it said:\n%s", &out)
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil || len(o.Finalizers) > 0 || o.Status.Phase != v1beta1.PhaseTerminated {
		t.Errorf("the Canary: %v, %v, %s", err, o.Finalizers, o.Status.Phase)
	}
}

func TestReleaseOfACanaryThatIsNotThere(t *testing.T) {
	c, err := client.New(apitest.Start(t), client.Options{Scheme: newScheme()})
	if err != nil {
		t.Fatal(err)
	}
	r := &releaser{client: c, out: &bytes.Buffer{}, look: time.Millisecond}
	r.namespace, r.canaries = apitest.Namespace(t, c), []types.NamespacedName{{Namespace: "shop", Name: "a"}}
	if err := r.run(t.Context()); err == nil || err.Error() != "there is no Canary shop/a" {
		t.Errorf("%v", err)
	}
}
