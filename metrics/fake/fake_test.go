package fake_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/metrics"
	"github.com/serin-dev/serin/metrics/fake"
	"github.com/serin-dev/serin/metrics/metricstest"
)

func TestConformance(t *testing.T) {
	p, down := fake.New(), fake.New()
	down.Fail(errors.New("connection refused"))
	bad := metrics.Selector{Series: "((("}
	p.SetError(bad.String(), &metrics.Failure{Kind: metrics.ErrBadQuery, Reason: "unclosed", Query: bad.String()})
	p.SetError("(((", &metrics.Failure{Kind: metrics.ErrBadQuery, Reason: "unclosed", Query: "((("})
	fed := 0
	next := func() string { fed++; return fmt.Sprintf("query-%d", fed) }

	metricstest.Run(t, metricstest.Harness{
		Provider:    p,
		Down:        down,
		Nothing:     "nothing",
		Malformed:   "(((",
		NoSeries:    metrics.Selector{Series: "nothing"},
		BadSelector: bad,
		Number: func(_ *testing.T, v float64) string {
			query := next()
			p.Set(query, v)
			return query
		},
		Counter: func(_ *testing.T, scrapes ...float64) metrics.Selector {
			selector := metrics.Selector{Series: "requests_total", Label: "of", Pattern: next()}
			p.SetSeries(selector, counter(time.Now(), scrapes...))
			return selector
		},
	})
}

// counter was scraped once a second, the last time now.
func counter(now time.Time, scrapes ...float64) metrics.Series {
	s := metrics.Series{Labels: "requests_total"}
	for i, v := range scrapes {
		age := time.Duration(len(scrapes)-1-i) * time.Second
		s.Samples = append(s.Samples, metrics.Sample{At: now.Add(-age), Value: v})
	}
	return s
}

func TestMemory(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	p := fake.New()
	p.Clock(func() time.Time { return now })
	p.Set("b", 2)
	p.Fail(errors.New("away"))
	if _, err := p.Query(t.Context(), "b"); !errors.Is(err, metrics.ErrUnavailable) {
		t.Errorf("while failing: %v", err)
	}
	p.Fail(nil)
	got, err := p.Query(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(metrics.Result{Value: 2, At: now}, got); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	a := metrics.Selector{Series: "a", Label: "of", Pattern: "b"}
	p.SetSeries(a, counter(now, 1, 2, 3))
	series, err := p.Samples(t.Context(), []metrics.Selector{a}, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]metrics.Series{{counter(now, 2, 3)}}, series); diff != "" {
		t.Errorf("series (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"b", "b", `a{of=~"b"}`}, p.Queries()); diff != "" {
		t.Errorf("queries (-want +got):\n%s", diff)
	}
}
