package prometheus

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/serin-dev/serin/metrics"
)

// Samples asks for a range of the selectors, which gives each scrape as it was stored, in the order
// of the series' labels. Selectors that differ in their pattern only are asked about in one request. A
// window of less than a second is taken as one second. Samples that are no finite number are left out.
func (p *Provider) Samples(ctx context.Context, selectors []metrics.Selector, window time.Duration) ([][]metrics.Series, error) {
	out := make([][]metrics.Series, len(selectors))
	for _, alike := range grouped(selectors) {
		asked := alike.selector(selectors)
		query := fmt.Sprintf("%s[%s]", asked, model.Duration(max(window, time.Second)))
		v, err := p.ask(ctx, query)
		if err != nil {
			return nil, p.failure(query, err)
		}
		matrix, ok := v.(model.Matrix)
		if !ok {
			return nil, p.failure(query, unavailable("an answer without samples, which is not Prometheus's"))
		}
		if err := alike.share(matrix, selectors, out); err != nil {
			return nil, p.failure(query, err)
		}
	}
	return out, nil
}

// group is the places of selectors that differ in their pattern only.
type group []int

func grouped(selectors []metrics.Selector) []group {
	var out []group
	place := map[metrics.Selector]int{}
	for i, s := range selectors {
		s.Pattern = ""
		g, ok := place[s]
		if !ok {
			g = len(out)
			place[s] = g
			out = append(out, nil)
		}
		out[g] = append(out[g], i)
	}
	return out
}

// selector is one for the series of all of them.
func (g group) selector(selectors []metrics.Selector) metrics.Selector {
	all := selectors[g[0]]
	var patterns []string
	for _, i := range g {
		patterns = append(patterns, selectors[i].Pattern)
	}
	slices.Sort(patterns)
	all.Pattern = strings.Join(slices.Compact(patterns), "|")
	return all
}

// share puts what was found where it was asked for. What the server matched for one selector needs no
// second look.
func (g group) share(found model.Matrix, selectors []metrics.Selector, out [][]metrics.Series) error {
	for _, i := range g {
		mine := found
		if len(g) > 1 {
			pattern, err := regexp.Compile("^(?:" + selectors[i].Pattern + ")$")
			if err != nil {
				return badQuery("the pattern %q is no regular expression", selectors[i].Pattern)
			}
			mine = slices.DeleteFunc(slices.Clone(found), func(s *model.SampleStream) bool {
				return s != nil && !pattern.MatchString(string(s.Metric[model.LabelName(selectors[i].Label)]))
			})
		}
		var err error
		if out[i], err = series(mine); err != nil {
			return err
		}
	}
	return nil
}

func series(matrix model.Matrix) ([]metrics.Series, error) {
	var out []metrics.Series
	for _, stream := range matrix {
		if stream == nil {
			return nil, unavailable("the answer holds a series that is null")
		}
		if len(stream.Histograms) > 0 {
			return nil, badQuery("%s is a native histogram, not a counter", labels(stream.Metric))
		}
		out = append(out, metrics.Series{Labels: stream.Metric.String(), Samples: samples(stream.Values)})
	}
	slices.SortFunc(out, func(a, b metrics.Series) int { return cmp.Compare(a.Labels, b.Labels) })
	return out, nil
}

func samples(pairs []model.SamplePair) []metrics.Sample {
	out := make([]metrics.Sample, 0, len(pairs))
	for _, p := range pairs {
		if v := float64(p.Value); isFinite(v) {
			out = append(out, metrics.Sample{At: p.Timestamp.Time(), Value: v})
		}
	}
	return out
}

func isFinite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
