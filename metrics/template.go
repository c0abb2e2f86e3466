package metrics

import (
	"fmt"
	"regexp"
	"strings"
	"text/template"
	"time"
)

// Vars are what the template of a query can name.
type Vars struct {
	// Name and Namespace are the Canary's; the other names are of the objects that its spec refers
	// to, empty where it refers to none.
	Name, Namespace, Target, Service, Ingress, Route string
	// Interval is the window to measure over; 0 means DefaultInterval.
	Interval time.Duration
	// Variables are the templateVariables of the Canary's metric. They go into the query as they
	// are: a variable may well be a piece of the query's language, such as a regular expression.
	Variables map[string]string
}

// DefaultInterval is the window of a query whose metric names none.
const DefaultInterval = time.Minute

// maxRendered bounds a query, before and after its variables are put in.
const maxRendered = 32 << 10

// Render puts the variables into the template of a query: {{ target }}, {{ interval }},
// {{ variables.x }} or {{ index variables "x-y" }}. Conditions (if, else, eq, ne, and, or, not) are
// understood; loops, formatting and everything else that text/template could call are not, so that
// a template can neither exhaust the operator nor reach beyond what is listed here. Errors wrap
// ErrBadQuery and read as sentences for the template's author.
func Render(query string, v Vars) (string, error) {
	if len(query) > maxRendered {
		return "", badTemplate(errTooLong)
	}
	if err := v.check(); err != nil {
		return "", badTemplate(err)
	}
	t, err := template.New(templateName).Funcs(v.functions()).Parse(query)
	if err != nil {
		return "", badTemplate(err)
	}
	if err := (allowed{v.Variables}).list(t.Root); err != nil {
		return "", badTemplate(err)
	}
	var out bounded
	if err := t.Execute(&out, nil); err != nil {
		return "", badTemplate(err)
	}
	return out.text.String(), nil
}

func (v Vars) functions() template.FuncMap {
	text := func(s string) func() string { return func() string { return s } }
	return template.FuncMap{
		"name": text(v.Name), "namespace": text(v.Namespace), "target": text(v.Target),
		"service": text(v.Service), "ingress": text(v.Ingress), "route": text(v.Route),
		"interval":  text(interval(v.Interval)),
		"variables": func() map[string]string { return v.Variables },
	}
}

// check refuses names that could end the string of a label matcher and go on as query: nothing is
// escaped, since how to escape is a matter of the query's language, and no Kubernetes name has them.
func (v Vars) check() error {
	for _, n := range [][2]string{
		{"name", v.Name}, {"namespace", v.Namespace}, {"target", v.Target},
		{"service", v.Service}, {"ingress", v.Ingress}, {"route", v.Route},
	} {
		if strings.ContainsAny(n[1], "\"'`\\{}") || strings.ContainsFunc(n[1], func(r rune) bool { return r < ' ' }) {
			return fmt.Errorf("%s %q holds a character that no Kubernetes name has", n[0], OneLine(n[1], 60))
		}
	}
	return nil
}

// interval prints whole seconds in one unit, since not every query language understands 1m30s. It
// rounds down: a window that is too long could reach back before the revision under analysis.
func interval(d time.Duration) string {
	if d <= 0 {
		d = DefaultInterval
	}
	seconds := int64(max(d, time.Second) / time.Second)
	switch {
	case seconds%3600 == 0:
		return fmt.Sprintf("%dh", seconds/3600)
	case seconds%60 == 0:
		return fmt.Sprintf("%dm", seconds/60)
	default:
		return fmt.Sprintf("%ds", seconds)
	}
}

var errTooLong = fmt.Errorf("it is longer than %d KiB", maxRendered>>10)

// bounded keeps what is written up to maxRendered bytes.
type bounded struct{ text strings.Builder }

func (b *bounded) Write(p []byte) (int, error) {
	if b.text.Len()+len(p) > maxRendered {
		return 0, errTooLong
	}
	return b.text.Write(p)
}

// templateName is in the errors of text/template, which templatePrefix turns into plain words.
const templateName = "query"

var templatePrefix = regexp.MustCompile(`^template: query:(\d+)(?::\d+)?: (?:executing "query" at <.*?>: )?`)

const vocabulary = `It can use name, namespace, target, service, ingress, route, interval and variables.<key>`

func badTemplate(err error) error {
	text := templatePrefix.ReplaceAllString(err.Error(), "line $1: ")
	return fmt.Errorf("%w: the query's template: %s. %s", ErrBadQuery, OneLine(text, 150), vocabulary)
}
