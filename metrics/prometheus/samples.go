package prometheus

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/serin-dev/serin/metrics"
)

// Samples asks for a range of the selector, which gives each scrape as it was stored, in the order
// of the series' labels. A window of less than a second is taken as one second. Samples that are no
// finite number are left out.
func (p *Provider) Samples(ctx context.Context, selector string, window time.Duration) ([]metrics.Series, error) {
	query := fmt.Sprintf("%s[%s]", strings.TrimSpace(selector), model.Duration(max(window, time.Second)))
	v, err := p.ask(ctx, query)
	if err != nil {
		return nil, p.failure(query, err)
	}
	matrix, ok := v.(model.Matrix)
	if !ok {
		return nil, p.failure(query, badQuery("not the selector of a series, such as requests_total{pod=\"x\"}"))
	}
	out, err := series(matrix)
	if err != nil {
		return nil, p.failure(query, err)
	}
	return out, nil
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
