package metricstest

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/metrics"
)

const long = 5 * time.Minute

func samples(t *testing.T, h Harness, b metrics.Bulk) {
	t.Run("a counter's increase is exact, resets included", func(t *testing.T) {
		series := one(t, b, h.Counter(t, 5, 9, 2, 4), long)
		got, ok := series.Increase()
		if diff := cmp.Diff(float64(8), got); !ok || diff != "" {
			t.Errorf("increase, %t (-want +got):\n%s", ok, diff)
		}
	})
	t.Run("samples are oldest first and of late", func(t *testing.T) {
		series := one(t, b, h.Counter(t, 1, 2, 3), long)
		for i, p := range series.Samples {
			if i > 0 && !p.At.After(series.Samples[i-1].At) {
				t.Errorf("sample %d is not newer than the one before it", i)
			}
			if age := time.Since(p.At).Abs(); age > skew {
				t.Errorf("sample %d is %s from now", i, age)
			}
		}
	})
	t.Run("a window ends now and holds nothing from before it", func(t *testing.T) { windows(t, h, b) })
	t.Run("a selector that matches nothing is an empty answer", func(t *testing.T) {
		if got, err := b.Samples(t.Context(), []metrics.Selector{h.NoSeries}, long); err != nil || len(got) != 1 || len(got[0]) != 0 {
			t.Errorf("got %v, %v; want nothing at all", got, err)
		}
	})
	t.Run("several selectors are answered each in its place", func(t *testing.T) {
		three, two := h.Counter(t, 1, 4), h.Counter(t, 1, 3)
		got, err := b.Samples(t.Context(), []metrics.Selector{two, h.NoSeries, three, two}, long)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []float64{2, 0, 3, 2} {
			grown := 0.0
			for _, s := range got[i] {
				d, _ := s.Increase()
				grown += d
			}
			if grown != want {
				t.Errorf("selector %d grew by %v in %v, want %v", i, grown, got[i], want)
			}
		}
	})
	t.Run("a selector that is not understood is bad", func(t *testing.T) {
		_, err := b.Samples(t.Context(), []metrics.Selector{h.NoSeries, h.BadSelector}, long)
		checkError(t, err, metrics.ErrBadQuery)
	})
	t.Run("a backend that cannot be reached is unavailable and not empty", func(t *testing.T) {
		_, err := h.Down.(metrics.Bulk).Samples(t.Context(), []metrics.Selector{h.NoSeries}, long)
		checkError(t, err, metrics.ErrUnavailable)
	})
	t.Run("a question that was called off is unavailable and not empty", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := b.Samples(ctx, []metrics.Selector{h.NoSeries}, long)
		checkError(t, err, metrics.ErrUnavailable)
	})
}

// windows compares a long window with a short one asked for later. The short one may be empty: a
// backend under load scrapes late.
func windows(t *testing.T, h Harness, b metrics.Bulk) {
	selector := h.Counter(t, 1, 2, 3, 4, 5)
	all := one(t, b, selector, long).Samples
	if len(all) < 5 {
		t.Fatalf("the long window has %d samples of 5", len(all))
	}
	const short = time.Second
	limit := all[len(all)-1].At.Add(-short)
	got, err := b.Samples(t.Context(), []metrics.Selector{selector}, short)
	if err != nil {
		t.Fatal(err)
	}
	for _, series := range got[0] {
		for _, p := range series.Samples {
			if p.At.Before(limit) {
				t.Errorf("a sample is %s older than the window", limit.Sub(p.At))
			}
		}
	}
}

func one(t *testing.T, b metrics.Bulk, selector metrics.Selector, window time.Duration) metrics.Series {
	t.Helper()
	got, err := b.Samples(t.Context(), []metrics.Selector{selector}, window)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || len(got[0]) != 1 || got[0][0].Labels == "" {
		t.Fatalf("got %v, want one series with labels", got)
	}
	return got[0][0]
}
