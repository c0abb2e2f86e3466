package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

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
