package metrics_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/metrics"
)

func podinfo() metrics.Vars {
	return metrics.Vars{
		Name: "podinfo", Namespace: "apps", Target: "podinfo-canary", Service: "web", Ingress: "edge", Route: "main",
		Interval:  30 * time.Second,
		Variables: map[string]string{"direction": "inbound", "code-class": "5..", "empty": "", "long": strings.Repeat("y", 1000)},
	}
}

func TestRender(t *testing.T) {
	for name, c := range map[string]struct{ query, want string }{
		"text stays as it is":             {`sum(up{job="x"})`, `sum(up{job="x"})`},
		"every name is understood":        {`{{ name }} {{ namespace }} {{ target }} {{ service }} {{ ingress }} {{ route }}`, `podinfo apps podinfo-canary web edge main`},
		"the interval is a window":        {`rate(x[{{ interval }}])`, `rate(x[30s])`},
		"blanks in the braces are free":   {`{{target}}{{- /* why */ -}} x`, `podinfo-canaryx`},
		"a variable":                      {`{{ variables.direction }}`, `inbound`},
		"a variable that is empty":        {`[{{ variables.empty }}]`, `[]`},
		"a variable with a dash":          {`{{ index variables "code-class" }}`, `5..`},
		"a name beside text":              {`{{ target }}-primary`, `podinfo-canary-primary`},
		"a condition that holds":          {`{{ if eq namespace "apps" }}a{{ else }}b{{ end }}`, `a`},
		"a condition that does not":       {`{{ if and ingress (not (ne route "main")) }}a{{ else if name }}b{{ end }}`, `a`},
		"the second branch of three":      {`{{ if not ingress }}a{{ else if name }}b{{ else }}c{{ end }}`, `b`},
		"a string that looks like braces": {`{{ "{{" }}`, `{{`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := metrics.Render(c.query, podinfo())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("query (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRenderInterval(t *testing.T) {
	for name, c := range map[string]struct {
		interval time.Duration
		want     string
	}{
		"none is the default":                    {0, "1m"},
		"less than nothing is the default":       {-time.Second, "1m"},
		"less than a second is a second":         {time.Millisecond, "1s"},
		"parts of a second are never added":      {1999 * time.Millisecond, "1s"},
		"whole minutes are minutes":              {2 * time.Minute, "2m"},
		"a minute and a half has one unit":       {90 * time.Second, "90s"},
		"whole hours are hours":                  {time.Hour, "1h"},
		"a day is hours, as every language does": {24 * time.Hour, "24h"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := metrics.Render(`{{ interval }}`, metrics.Vars{Interval: c.interval})
			if err != nil || got != c.want {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestRenderRefuses(t *testing.T) {
	for name, c := range map[string]struct{ query, want string }{
		"a variable that is not set":        {`{{ variables.team }}`, `variable "team" is not among the metric's templateVariables, which has code-class, direction, empty, long`},
		"an index that is not set":          {`{{ index variables "team" }}`, `variable "team" is not among`},
		"a function that there is not":      {"x\n{{ env \"HOME\" }}", `line 2: function "env" not defined`},
		"braces that are not closed":        {`{{ target`, `line 1: unclosed action`},
		"formatting, whose width is memory": {`{{ printf "%1000000000d" 1 }}`, `cannot be used in a query`},
		"a loop, which may take for ever":   {`{{ range 1000000000 }}x{{ end }}`, `cannot be used in a query`},
		"a template in a template":          {`{{ define "a" }}x{{ end }}{{ template "a" }}`, `"{{template \"a\"}}" cannot be used in a query`},
		"assignments":                       {`{{ $x := target }}{{ $x }}`, `cannot be used in a query`},
		"pipes":                             {`{{ target | html }}`, `cannot be used in a query`},
		"fields of nothing":                 {`{{ .Target }}`, `".Target" cannot be used in a query`},
		"all variables at once":             {`{{ variables }}`, `"variables" cannot be used in a query`},
		"a field of a name":                 {`{{ target.x }}`, `"target.x" cannot be used in a query`},
		"what hides behind a condition":     {`{{ if false }}{{ len target }}{{ end }}`, `"len target" cannot be used in a query`},
		"what hides in a condition":         {`{{ if (printf "x") }}{{ end }}`, `cannot be used in a query`},
		"what hides behind else":            {`{{ if true }}{{ else }}{{ call target }}{{ end }}`, `cannot be used in a query`},
		"what hides in a comparison":        {`{{ eq "x" (js "x") }}`, `cannot be used in a query`},
		"comparing what cannot be":          {`{{ eq target 1 }}`, `line 1: error calling eq: incompatible types for comparison`},
		"an index that is not of variables": {`{{ index target 0 }}`, `cannot be used in a query`},
		"a template that is too long":       {strings.Repeat("x", 33<<10), `it is longer than 32 KiB`},
		"a short template with long values": {strings.Repeat(`{{ variables.long }}`, 40), `it is longer than 32 KiB`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := metrics.Render(c.query, podinfo())
			if !errors.Is(err, metrics.ErrBadQuery) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %q, %v; want a bad query: %s", got, err, c.want)
			}
			if n := utf8.RuneCountInString(err.Error()); n > metrics.MaxMessage || strings.Contains(err.Error(), "\n") {
				t.Errorf("%d characters: %q", n, err)
			}
		})
	}
}

func TestRenderRefusesNamesThatEndAMatcher(t *testing.T) {
	for name, value := range map[string]string{
		"a quote": `x"} or vector(100) #`, "an apostrophe": `x'`, "a backquote": "x`", "a backslash": `x\`,
		"a brace": `x}`, "a line end": "x\ny",
	} {
		t.Run(name, func(t *testing.T) {
			vars := podinfo()
			vars.Route = value
			_, err := metrics.Render(`up`, vars)
			if !errors.Is(err, metrics.ErrBadQuery) || !strings.Contains(err.Error(), "holds a character that no Kubernetes name has") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func FuzzRender(f *testing.F) {
	for _, seed := range []string{
		`sum(rate(x{ns="{{ namespace }}"}[{{ interval }}]))`, `{{ variables.direction }}`, `{{ index variables "x" }}`,
		`{{ if eq target "x" }}a{{ else }}b{{ end }}`, `{{ printf "%9999d" 1 }}`, `{{ range 9 }}{{ end }}`, `{{ (((target))) }}`, "{{",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		got, err := metrics.Render(query, podinfo())
		switch {
		case err == nil && len(got) > 32<<10:
			t.Errorf("a query of %d bytes", len(got))
		case err != nil && !errors.Is(err, metrics.ErrBadQuery):
			t.Errorf("an error without a kind: %v", err)
		}
	})
}
