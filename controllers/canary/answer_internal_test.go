package canary

import (
	"testing"
	"time"

	"github.com/serin-dev/serin/metrics"
)

// TestLatest: what is in flight is known where each proxy that counts shows it, and what it showed before the
// shift is none of it.
func TestLatest(t *testing.T) {
	shift := time.Unix(1000, 0)
	series := func(values ...float64) metrics.Series {
		var s metrics.Series
		for i, v := range values {
			s.Samples = append(s.Samples, metrics.Sample{At: shift.Add(time.Duration(i-1) * time.Second), Value: v})
		}
		return s
	}
	for sentence, test := range map[string]struct {
		all []metrics.Series
		n   int
		sum float64
	}{
		"no series":                       {nil, 0, 0},
		"nothing since the shift":         {[]metrics.Series{series(7)}, 0, 0},
		"the newest of each":              {[]metrics.Series{series(7, 3, 2), series(1, 0, 1)}, 2, 3},
		"of one of them there is no more": {[]metrics.Series{series(7, 3, 2), series(4)}, 1, 2},
	} {
		t.Run(sentence, func(t *testing.T) {
			if n, sum := latest(test.all, shift); n != test.n || sum != test.sum {
				t.Errorf("got %d series with %v, want %d with %v", n, sum, test.n, test.sum)
			}
		})
	}
}
