package prometheus

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	v1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/serin-dev/serin/metrics"
)

// canned is an API client without a network.
type canned struct {
	code int
	body []byte
}

func (canned) URL(string, map[string]string) *url.URL { return &url.URL{} }

func (c canned) Do(context.Context, *http.Request) (*http.Response, []byte, error) {
	return &http.Response{StatusCode: c.code}, c.body, nil
}

func FuzzReply(f *testing.F) {
	for _, body := range []string{
		``, `<html>`, `null`, `{}`, `{"status":"success"}`, `{"status":"success","data":{}}`,
		`{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}`,
		`{"status":"success","data":{"resultType":"scalar","result":null}}`,
		`{"status":"success","data":{"resultType":"string","result":[1,"x"]}}`,
		`{"status":"success","data":{"resultType":"vector","result":[]}}`,
		`{"status":"success","data":{"resultType":"vector","result":[null,{}]}}`,
		`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1,"NaN"]}]}}`,
		`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a\n":"\u2028"}},{"metric":null}]}}`,
		`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{"buckets":[[0,"1","2","3"]]}]}]}}`,
		`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1e300,"1"],[-1,"+Inf"]]},null]}}`,
		`{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"histograms":[[1,{"count":"1"}]]}]}}`,
		`{"status":"success","warnings":["w"],"isPartial":true}`,
		`{"status":"error","errorType":"bad_data","error":"` + "\\u0000\\ud800" + `"}`,
	} {
		f.Add(200, []byte(body))
		f.Add(422, []byte(body))
	}
	f.Fuzz(func(t *testing.T, code int, body []byte) {
		p := &Provider{
			api:     v1.NewAPI(checked{canned{code, body}}),
			address: "http://prometheus", timeout: time.Minute, secrets: strings.NewReplacer(),
		}
		r, err := p.Query(t.Context(), "up")
		if err == nil && !isFinite(r.Value) {
			t.Errorf("%v is no value", r.Value)
		}
		holdsContract(t, err)
		for _, a := range p.QueryAll(t.Context(), []string{"up", "down"}) {
			if a.Err == nil && !isFinite(a.Value) {
				t.Errorf("%v is no value", a.Value)
			}
			holdsContract(t, a.Err)
		}
		_, err = p.Samples(t.Context(), []metrics.Selector{{Series: "up", Label: "job", Pattern: "a"}, {Series: "up", Label: "job", Pattern: "b|c"}}, time.Minute)
		holdsContract(t, err)
	})
}

func holdsContract(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	kinds := 0
	for _, kind := range []error{metrics.ErrNoData, metrics.ErrBadQuery, metrics.ErrUnavailable} {
		if errors.Is(err, kind) {
			kinds++
		}
	}
	text := err.Error()
	if kinds != 1 || utf8.RuneCountInString(text) > metrics.MaxMessage || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("%d kinds, %d characters: %q", kinds, utf8.RuneCountInString(text), text)
	}
}
