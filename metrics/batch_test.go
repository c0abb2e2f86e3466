package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/metrics"
)

// counted is a provider that answers a query with its length and a selector with a series of its name,
// and counts the requests that this took.
type counted struct {
	mu       sync.Mutex
	requests int
	windows  []time.Duration
	largest  int
	failure  error
	// trips panics over this query.
	trips string
}

func (c *counted) note(questions int, windows ...time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	c.largest = max(c.largest, questions)
	c.windows = append(c.windows, windows...)
	return c.failure
}

func (c *counted) Query(ctx context.Context, query string) (metrics.Result, error) {
	a := c.QueryAll(ctx, []string{query})[0]
	return a.Result, a.Err
}

func (c *counted) QueryAll(_ context.Context, queries []string) []metrics.Answer {
	err := c.note(len(queries))
	if c.trips != "" && slices.Contains(queries, c.trips) {
		panic("index out of range")
	}
	var out []metrics.Answer
	for _, q := range queries {
		out = append(out, metrics.Answer{Result: metrics.Result{Value: float64(len(q))}, Err: err})
	}
	return out
}

func (c *counted) Samples(_ context.Context, selectors []metrics.Selector, window time.Duration) ([][]metrics.Series, error) {
	if err := c.note(len(selectors), window); err != nil {
		return nil, err
	}
	var out [][]metrics.Series
	for _, s := range selectors {
		out = append(out, []metrics.Series{{Labels: s.Pattern}})
	}
	return out, nil
}

// TestRequestsDependOnTimeAlone: rollouts ask every ten seconds, each at its own moment, for two minutes.
func TestRequestsDependOnTimeAlone(t *testing.T) {
	requests := func(rollouts int) (n int) {
		synctest.Test(t, func(t *testing.T) {
			p := &counted{}
			b := metrics.NewBatch(p)
			var wg sync.WaitGroup
			for i := range rollouts {
				wg.Go(func() {
					time.Sleep(time.Duration(i) * 10 * time.Second / time.Duration(rollouts))
					for range 12 {
						began := time.Now()
						query := strings.Repeat("x", i+1)
						if r, err := b.Query(t.Context(), query); err != nil || r.Value != float64(i+1) {
							t.Errorf("query %d came to %v, %v", i, r, err)
						}
						name := fmt.Sprint(i)
						got, err := b.Samples(t.Context(), []metrics.Selector{{Series: "s", Label: "l", Pattern: name}}, 10*time.Second)()
						if err != nil || len(got) != 1 || len(got[0]) != 1 || got[0][0].Labels != name {
							t.Errorf("selector %s found %v, %v", name, got, err)
						}
						took := time.Since(began)
						if took > 2*time.Second {
							t.Errorf("two questions among %d rollouts took %s", rollouts, took)
						}
						time.Sleep(10*time.Second - took)
					}
				})
			}
			wg.Wait()
			n = p.requests
		})
		return n
	}
	one, hundred, thousand := requests(1), requests(100), requests(1000)
	t.Logf("requests in twelve intervals of ten seconds: %d by 1 rollout, %d by 100, %d by 1,000", one, hundred, thousand)
	if one != 24 {
		t.Errorf("one rollout took %d requests, want one for each of its 24 questions", one)
	}
	if limit := 8 + 4*130; hundred > limit || thousand > limit {
		t.Errorf("%d and %d requests, want at most %d", hundred, thousand, limit)
	}
}

// TestAloneNobodyWaits: a single rollout's questions go out as they come.
func TestAloneNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := metrics.NewBatch(&counted{})
		began := time.Now()
		for range 6 {
			if _, err := b.Query(t.Context(), "up"); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("six questions one after the other took %s", took)
		}
	})
}

func TestManyAtOnceShareARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &counted{}
		b := metrics.NewBatch(p)
		var wg sync.WaitGroup
		for i := range 450 {
			wg.Go(func() {
				if r, err := b.Query(t.Context(), strings.Repeat("x", i)); err != nil || r.Value != float64(i) {
					t.Errorf("query %d came to %v, %v", i, r, err)
				}
			})
		}
		wg.Wait()
		if p.requests != 3 || p.largest != 200 {
			t.Errorf("%d requests, the largest of %d questions; want 3 of at most 200", p.requests, p.largest)
		}
	})
}

func TestWindowsAreSharedAndHoldWhatWasAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &counted{}
		b := metrics.NewBatch(p)
		var wg sync.WaitGroup
		for s := range 60 {
			wg.Go(func() {
				if _, err := b.Samples(t.Context(), []metrics.Selector{{Series: "s"}}, time.Duration(s+1)*time.Second)(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if p.requests != 2 {
			t.Errorf("%d requests for sixty windows, want 2", p.requests)
		}
	})
	for _, window := range []time.Duration{time.Second, 15 * time.Second, 16 * time.Second, time.Minute, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			p := &counted{}
			if _, err := metrics.NewBatch(p).Samples(t.Context(), make([]metrics.Selector, 1), window)(); err != nil {
				t.Fatal(err)
			}
			if got := p.windows[0]; got < window || got >= 4*window && got > 15*time.Second {
				t.Errorf("a window of %s was asked for as %s", window, got)
			}
		})
	}
}

func TestEachAskerHearsOfAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := &metrics.Failure{Kind: metrics.ErrUnavailable, Reason: "away"}
		b := metrics.NewBatch(&counted{failure: away})
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if _, err := b.Query(t.Context(), "up"); !errors.Is(err, metrics.ErrUnavailable) {
					t.Errorf("query: %v", err)
				}
				if _, err := b.Samples(t.Context(), make([]metrics.Selector, 1), time.Second)(); !errors.Is(err, metrics.ErrUnavailable) {
					t.Errorf("samples: %v", err)
				}
			})
		}
		wg.Wait()
	})
}

// TestWhoLeavesTakesNobodyAlong: the first asker gives up while the others still want to know.
func TestWhoLeavesTakesNobodyAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := metrics.NewBatch(&counted{})
		leaving, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := b.Query(leaving, "first"); !errors.Is(err, metrics.ErrUnavailable) {
				t.Errorf("who left got %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			r, err := b.Query(t.Context(), "second")
			if diff := cmp.Diff(6.0, r.Value); diff != "" || err != nil {
				t.Errorf("who stayed: %v (-want +got):\n%s", err, diff)
			}
		})
		synctest.Wait()
		leave()
		wg.Wait()
	})
}

// TestAPanicIsOneAskers: those who share a request with it get their answers.
func TestAPanicIsOneAskers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := metrics.NewBatch(&counted{trips: "bad"})
		var wg sync.WaitGroup
		for _, query := range []string{"good", "bad", "better"} {
			wg.Go(func() {
				defer func() {
					if p := recover(); (p != nil) != (query == "bad") {
						t.Errorf("the asker of %q met panic %v", query, p)
					}
				}()
				if r, err := b.Query(t.Context(), query); err != nil || r.Value != float64(len(query)) {
					t.Errorf("%q came to %v, %v", query, r.Value, err)
				}
			})
		}
		wg.Wait()
	})
}
