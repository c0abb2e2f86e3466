package prometheus_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/serin-dev/serin/metrics"
)

// shapes are the answers that only the real thing can be trusted to give.
func shapes(t *testing.T, b *backend) {
	b.counter(t, 1)
	pods := b.several(t, 2)
	for name, c := range map[string]struct {
		query string
		kind  error
		want  string
	}{
		"a range is bad":                   {pods + "[1m]", metrics.ErrBadQuery, "a range of samples instead of one number"},
		"a string is bad":                  {`"text"`, metrics.ErrBadQuery, "a string instead of a number"},
		"a syntax error is bad":            {"sum(", metrics.ErrBadQuery, "parse error: "},
		"a function that there is not":     {"summ(up)", metrics.ErrBadQuery, `unknown function with name "summ"`},
		"a join that cannot be is bad":     {pods + " + on() " + pods, metrics.ErrBadQuery, "found duplicate series"},
		"an empty query is bad":            {"", metrics.ErrBadQuery, "parse error"},
		"several series name the first":    {pods, metrics.ErrBadQuery, `2 series instead of one number, the first is ` + pods + `{`},
		"zero divided by zero is no data":  {"vector(0) / vector(0)", metrics.ErrNoData, "the value is NaN"},
		"one divided by zero is no data":   {"1 / 0", metrics.ErrNoData, "the value is infinite"},
		"a comparison that filters all":    {"vector(1) > 2", metrics.ErrNoData, "no series matches"},
		"a scalar that is not a number":    {"scalar(serin_nothing)", metrics.ErrNoData, "the value is NaN"},
		"a query that is longer than URLs": {`serin_nothing{pod!="` + strings.Repeat("x", 20000) + `"}`, metrics.ErrNoData, "no series matches"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.provider.Query(t.Context(), c.query)
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %v: %s", err, c.kind, c.want)
			}
		})
	}
	t.Run("a scalar is a number", func(t *testing.T) { b.comesTo(t, "2 * 21", 42) })
	t.Run("each series of a selector is a series of the answer, in the order of labels", func(t *testing.T) {
		got, err := b.provider.(metrics.Bulk).Samples(t.Context(), []metrics.Selector{{Series: pods, Label: "pod", Pattern: "pod-.*"}}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if len(got[0]) != 2 || got[0][0].Labels >= got[0][1].Labels {
			t.Errorf("got %v, want pod-0 and pod-1 in this order", got)
		}
	})
}
