package router_test

import (
	"errors"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/router"
)

func TestRegistry(t *testing.T) {
	var r router.Registry
	build := func(client.Client) (router.Router, error) { return nil, nil }
	for _, name := range []string{"gloo", "contour"} {
		if err := r.Add(name, build); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Add("gloo", build); err == nil {
		t.Error("a second router of the same name is taken")
	}
	if f, err := r.Get("gloo"); err != nil || f == nil {
		t.Errorf("Get: %v", err)
	}
	_, err := r.Get("istio")
	var nr *router.NotReady
	want := `provider "istio" is not built into this operator; it has: contour, gloo. Set spec.provider to one of them`
	if !errors.As(err, &nr) || nr.Problem.Message != want {
		t.Errorf("an unknown name gives %v, want %s", err, want)
	}
}

func TestWeights(t *testing.T) {
	if got := router.Percent(20).String(); got != "80/20" {
		t.Errorf("Percent(20) is %s", got)
	}
	if got := router.Split(125).String(); got != "87.5/12.5" {
		t.Errorf("Split(125) is %s", got)
	}
	for w, valid := range map[router.Weights]bool{
		router.Percent(0):              true,
		router.Percent(100):            true,
		{}:                             false,
		{Primary: 600, Canary: 600}:    false,
		{Primary: 1200, Canary: -200}:  false,
		{Primary: -1000, Canary: 2000}: false,
	} {
		if err := w.Validate(); (err == nil) != valid {
			t.Errorf("%s: %v", w, err)
		}
	}
}
