package metricstest

import (
	"context"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/metrics"
)

// skew is how far apart the clocks of the provider and the test may be, scrape interval included.
const skew = time.Minute

func numbers(t *testing.T, h Harness) {
	for name, value := range map[string]float64{
		"a fraction is returned as it is":          99.25,
		"zero is a number and not the lack of one": 0,
		"a negative number keeps its sign":         -3,
		"a large number keeps its digits":          9007199254740991,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := h.Provider.Query(t.Context(), h.Number(t, value))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(value, got.Value); diff != "" {
				t.Errorf("value (-want +got):\n%s", diff)
			}
			if age := time.Since(got.At).Abs(); age > skew {
				t.Errorf("sampled at %s, which is %s from now", got.At, age)
			}
		})
	}
}

func noData(t *testing.T, h Harness) {
	queries := map[string]func(t *testing.T) string{
		"a query that matches nothing is no data": func(*testing.T) string { return h.Nothing },
		"NaN is no data":            func(t *testing.T) string { return h.Number(t, math.NaN()) },
		"plus infinity is no data":  func(t *testing.T) string { return h.Number(t, math.Inf(1)) },
		"minus infinity is no data": func(t *testing.T) string { return h.Number(t, math.Inf(-1)) },
	}
	for name, query := range queries {
		t.Run(name, func(t *testing.T) { _ = fails(t, h.Provider, query(t), metrics.ErrNoData) })
	}
}

func badQuery(t *testing.T, h Harness) {
	t.Run("a query that is not understood is bad", func(t *testing.T) {
		_ = fails(t, h.Provider, h.Malformed, metrics.ErrBadQuery)
	})
	if h.Several == nil {
		return
	}
	t.Run("more than one series is bad, and the message says how many", func(t *testing.T) {
		err := fails(t, h.Provider, h.Several(t, 3), metrics.ErrBadQuery)
		if !strings.Contains(err.Error(), "3 series") {
			t.Errorf("%q does not say that there are 3 series", err)
		}
	})
}

func unavailable(t *testing.T, h Harness) {
	t.Run("a backend that cannot be reached is unavailable", func(t *testing.T) {
		_ = fails(t, h.Down, h.Nothing, metrics.ErrUnavailable)
	})
	t.Run("a long query in many lines makes one short line", func(t *testing.T) {
		_ = fails(t, h.Down, strings.Repeat(h.Nothing+"\n\t", 200), metrics.ErrUnavailable)
	})
	if h.Reserved != nil {
		t.Run("an address of a cloud's metadata is not called", func(t *testing.T) {
			err := fails(t, h.Reserved, h.Nothing, metrics.ErrUnavailable)
			if !strings.Contains(err.Error(), "169.254.169.254 is refused: ") {
				t.Errorf("%q does not say that the address is refused", err)
			}
		})
	}
	t.Run("a question that was called off is unavailable and not no data", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := h.Provider.Query(ctx, h.Nothing)
		checkError(t, err, metrics.ErrUnavailable)
	})
}

func concurrency(t *testing.T, h Harness) {
	query := h.Number(t, 7)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if r, err := h.Provider.Query(t.Context(), query); err != nil || r.Value != 7 {
				t.Errorf("got %v, %v; want 7", r.Value, err)
			}
		})
	}
	wg.Wait()
}
