package metrics_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/metrics"
)

func at(second int) time.Time { return time.Date(2026, 11, 22, 12, 0, second, 0, time.UTC) }

// scraped is one series with a sample each second.
func scraped(values ...float64) metrics.Series {
	s := metrics.Series{Labels: "x"}
	for i, v := range values {
		s.Samples = append(s.Samples, metrics.Sample{At: at(i), Value: v})
	}
	return s
}

func TestIncrease(t *testing.T) {
	for name, c := range map[string]struct {
		series metrics.Series
		want   float64
		wantOK bool
	}{
		"no sample tells nothing":                  {scraped(), 0, false},
		"one sample tells nothing":                 {scraped(7), 0, false},
		"a counter that stands still grew by zero": {scraped(7, 7), 0, true},
		"the last minus the first":                 {scraped(7, 8, 12), 5, true},
		"after a reset it counts from zero":        {scraped(7, 9, 3, 4), 6, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := c.series.Increase()
			if got != c.want || ok != c.wantOK {
				t.Errorf("got %v, %t; want %v, %t", got, ok, c.want, c.wantOK)
			}
		})
	}
}

func TestAfter(t *testing.T) {
	for name, c := range map[string]struct {
		from int
		want []float64
	}{
		"all when all are newer":               {-1, []float64{1, 2, 3}},
		"a sample taken at that moment counts": {1, []float64{2, 3}},
		"none when all are older":              {3, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []float64
			for _, s := range scraped(1, 2, 3).After(at(c.from)).Samples {
				got = append(got, s.Value)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("samples (-want +got):\n%s", diff)
			}
		})
	}
}
