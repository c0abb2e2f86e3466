package prometheus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/serin-dev/serin/metrics"
)

// question is the label that tells the answers of one request apart.
const question = "serin_question"

// QueryAll puts all queries in one request. Queries that the server does not take together are put one
// by one: one of them may be bad, or all of them too much.
func (p *Provider) QueryAll(ctx context.Context, queries []string) []metrics.Answer {
	if len(queries) > 1 {
		v, err := p.ask(ctx, joined(queries))
		if !errors.Is(err, metrics.ErrBadQuery) {
			return p.answers(queries, v, err)
		}
	}
	return metrics.Each(ctx, p.Query, queries)
}

// joined is one query for all: the union of their vectors, each marked with its place.
func joined(queries []string) string {
	var b strings.Builder
	for i, q := range queries {
		if i > 0 {
			b.WriteString("\nor ")
		}
		fmt.Fprintf(&b, `label_replace(%s, %q, "%d", "", "")`, q, question, i)
	}
	return b.String()
}

func (p *Provider) answers(queries []string, v model.Value, err error) []metrics.Answer {
	vector, ok := v.(model.Vector)
	if err == nil && !ok {
		err = unavailable("an answer without values, which is not Prometheus's")
	}
	own := make([]model.Vector, len(queries))
	for _, s := range vector {
		if i, known := place(s, len(queries)); known {
			own[i] = append(own[i], s)
		}
	}
	out := make([]metrics.Answer, len(queries))
	for i, q := range queries {
		wrong := err
		if wrong == nil {
			out[i].Result, wrong = only(own[i])
		}
		if wrong != nil {
			out[i].Err = p.failure(q, wrong)
		}
	}
	return out
}

// place takes the mark off a sample.
func place(s *model.Sample, n int) (int, bool) {
	if s == nil {
		return 0, false
	}
	i, err := strconv.Atoi(string(s.Metric[question]))
	delete(s.Metric, question)
	return i, err == nil && i >= 0 && i < n
}
