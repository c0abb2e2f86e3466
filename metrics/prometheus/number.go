package prometheus

import (
	"math"
	"slices"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/serin-dev/serin/metrics"
)

// number is the one finite value that an answer has to hold.
func number(v model.Value) (metrics.Result, error) {
	switch v := v.(type) {
	case *model.Scalar:
		if v != nil {
			return finite(v.Value, v.Timestamp)
		}
	case model.Vector:
		return only(v)
	case model.Matrix:
		return metrics.Result{}, badQuery("a range of samples instead of one number; " +
			"put it into a function, such as rate() or avg_over_time(), or drop the [...]")
	}
	return metrics.Result{}, unavailable("an answer without a value, which is not Prometheus's")
}

func only(v model.Vector) (metrics.Result, error) {
	switch {
	case slices.Contains(v, nil):
		return metrics.Result{}, unavailable("the answer holds a series that is null")
	case len(v) == 0:
		return metrics.Result{}, noData("no series matches")
	case len(v) > 1:
		return metrics.Result{}, badQuery("%d series instead of one number, the first is %s; "+
			"aggregate them, for example with sum() or max()", len(v), labels(first(v)))
	case v[0].Histogram != nil:
		return metrics.Result{}, badQuery("a native histogram instead of one number; use histogram_quantile() or histogram_count()")
	}
	return finite(v[0].Value, v[0].Timestamp)
}

func finite(v model.SampleValue, at model.Time) (metrics.Result, error) {
	switch f := float64(v); {
	case math.IsNaN(f):
		return metrics.Result{}, noData("the value is NaN, as of 0 divided by 0")
	case math.IsInf(f, 0):
		return metrics.Result{}, noData("the value is infinite, as of a number divided by 0")
	default:
		return metrics.Result{Value: f, At: at.Time()}, nil
	}
}

// first is by labels, not by position: a server may answer in another order each time, and the same
// failure is to read the same.
func first(v model.Vector) model.Metric {
	return slices.MinFunc(v, func(a, b *model.Sample) int {
		return strings.Compare(a.Metric.String(), b.Metric.String())
	}).Metric
}

func labels(m model.Metric) string { return metrics.OneLine(m.String(), 60) }
