package metricstest

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/metrics"
)

// together holds the answers to many queries against those to each of them.
func together(t *testing.T, h Harness, b metrics.Bulk) {
	t.Run("each query is answered in its place", func(t *testing.T) {
		queries := []string{h.Number(t, 7), h.Nothing, h.Number(t, 0.5), h.Number(t, 7)}
		if h.Several != nil {
			queries = append(queries, h.Several(t, 2))
		}
		likeOneByOne(t, b, queries)
	})
	t.Run("a bad query spoils no other", func(t *testing.T) {
		likeOneByOne(t, b, []string{h.Number(t, 7), h.Malformed, h.Nothing, h.Number(t, 8)})
	})
	t.Run("one query is as good as many", func(t *testing.T) { likeOneByOne(t, b, []string{h.Number(t, 9)}) })
	t.Run("no query is no answer", func(t *testing.T) {
		if got := b.QueryAll(t.Context(), nil); len(got) != 0 {
			t.Errorf("got %v", got)
		}
	})
	t.Run("a backend that cannot be reached is unavailable to each", func(t *testing.T) {
		for _, a := range h.Down.(metrics.Bulk).QueryAll(t.Context(), []string{h.Nothing, h.Nothing}) {
			checkError(t, a.Err, metrics.ErrUnavailable)
		}
	})
	t.Run("questions that were called off are unavailable", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, a := range b.QueryAll(ctx, []string{h.Nothing, h.Nothing}) {
			checkError(t, a.Err, metrics.ErrUnavailable)
		}
	})
}

func likeOneByOne(t *testing.T, b metrics.Bulk, queries []string) {
	t.Helper()
	got := b.QueryAll(t.Context(), queries)
	if len(got) != len(queries) {
		t.Fatalf("%d answers to %d queries", len(got), len(queries))
	}
	for i, query := range queries {
		want, err := b.Query(t.Context(), query)
		if diff := cmp.Diff(message(err), message(got[i].Err)); diff != "" {
			t.Errorf("error of query %d (-alone +together):\n%s", i, diff)
		}
		if diff := cmp.Diff(want.Value, got[i].Value); diff != "" {
			t.Errorf("value of query %d (-alone +together):\n%s", i, diff)
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
