package main

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/cmd/serin/implementations"
)

var rows = sync.OnceValues(table)

func TestPageIsCurrent(t *testing.T) {
	all, err := rows()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "reference", "fields.md"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(render(all), string(page)); diff != "" {
		t.Errorf("fields.md is not what the code does; run go generate ./docs/... (-want +got):\n%s", diff)
	}
}

// silent are the fields that have no effect and about which nothing is said, with why that is right.
var silent = map[string]string{
	"autoscalerRef.apiVersion":              "any version of the kind is taken",
	"service.match[].name":                  "for the logs of proxies that keep one",
	"service.unmanagedMetadata.labels":      "what Serin did not set is left alone, named or not",
	"service.unmanagedMetadata.annotations": "what Serin did not set is left alone, named or not",
}

// TestNothingIsIgnoredInSilence: with each router, a field has an effect, or the operator says that it
// has none.
func TestNothingIsIgnoredInSilence(t *testing.T) {
	all, err := rows()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		quiet := slices.DeleteFunc(implementations.Routers().Names(), func(name string) bool {
			return slices.Contains(r.all(), name) || slices.Contains(r.said, name) || slices.Contains(r.covered, name)
		})
		_, known := silent[r.path]
		if len(quiet) > 0 && !known {
			t.Errorf("spec.%s has no effect with %v, and nobody says so", r.path, quiet)
		}
		if len(quiet) == 0 && known {
			t.Errorf("spec.%s is not ignored in silence any more: take it out of the list", r.path)
		}
	}
}

// TestTheProbeSees: what is known to matter in one place only shows there and nowhere else.
func TestTheProbeSees(t *testing.T) {
	all, err := rows()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		"analysis.maxWeight":                {"weights"},
		"analysis.sessionAffinity.sameSite": {"blue/green", "steps", "weights"},
		"analysis.iterations":               {"A/B", "blue/green"},
		"analysis.steps[].pause":            {"steps"},
		"analysis.threshold":                {"A/B", "blue/green", "steps", "weights"},
		"analysis.match[].cookies":          {"A/B"},
		"service.timeout":                   nil,
		"upstreamRef":                       {"A/B", "blue/green", "steps", "weights"},
		"analysis.webhooks[].retries":       {"A/B", "blue/green", "steps", "weights"},
	}
	for _, r := range all {
		names, ok := want[r.path]
		if !ok {
			continue
		}
		delete(want, r.path)
		var got []string
		for _, s := range strategies {
			if slices.Contains(r.routers[s.name], "gloo") {
				got = append(got, s.name)
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(names, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", r.path, diff)
		}
	}
	for path := range want {
		t.Errorf("there is no row for %s", path)
	}
}
