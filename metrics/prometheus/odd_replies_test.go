package prometheus_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/metrics"
)

const (
	isJSON = "application/json"
	isHTML = "text/html; charset=utf-8"
)

func vector(result string) string {
	return `{"status":"success","data":{"resultType":"vector","result":` + result + `}}`
}

func TestReplies(t *testing.T) {
	for name, c := range map[string]struct {
		code              int
		contentType, body string
		kind              error
		want              string
	}{
		"a page where the answer should be": {200, isHTML, "<!doctype html><p>Log in", metrics.ErrUnavailable,
			"HTTP 200 OK with an HTML page instead of an answer of Prometheus; check the address and what stands in between"},
		"an endless page": {502, isHTML, strings.Repeat("<p>", 9<<20), metrics.ErrUnavailable,
			"HTTP 502 Bad Gateway with an HTML page instead of"},
		"nothing":         {200, isJSON, "", metrics.ErrUnavailable, "HTTP 200 OK with nothing instead of"},
		"text":            {400, "text/plain", "Client sent an HTTP request to an HTTPS server.\n", metrics.ErrUnavailable, `HTTP 400 Bad Request with the text "Client sent an HTTP request to an HTTPS server." instead of`},
		"JSON cut short":  {200, isJSON, success[:60], metrics.ErrUnavailable, "HTTP 200 OK with other or broken JSON instead of"},
		"other JSON":      {404, isJSON, `{"message":"no route"}`, metrics.ErrUnavailable, "HTTP 404 Not Found with other or broken JSON"},
		"JSON of a list":  {200, isJSON, `[1]`, metrics.ErrUnavailable, "other or broken JSON"},
		"a contradiction": {500, isJSON, success, metrics.ErrUnavailable, "HTTP 500 Internal Server Error with an answer that says success"},
		"an answer that is too large": {200, isJSON, vector("[" + strings.Repeat(" ", 9<<20) + "]"), metrics.ErrBadQuery,
			"the answer is larger than 8 MiB; ask for less"},
		"no data":             {200, isJSON, `{"status":"success","data":null}`, metrics.ErrUnavailable, "an answer without a value"},
		"a series of null":    {200, isJSON, vector(`[null]`), metrics.ErrUnavailable, "a series that is null"},
		"a value of no type":  {200, isJSON, `{"status":"success","data":{"resultType":"none","result":[]}}`, metrics.ErrUnavailable, `the answer is not understood: unknown value type "none"`},
		"a value that is not": {200, isJSON, vector(`[{"metric":{},"value":[1,"one"]}]`), metrics.ErrUnavailable, "the answer is not understood"},
		"a native histogram": {200, isJSON, vector(`[{"metric":{},"histogram":[1,{"count":"1","sum":"1"}]}]`), metrics.ErrBadQuery,
			"a native histogram instead of one number; use histogram_quantile()"},
		"many series": {200, isJSON, vector(`[{"metric":{"a":"2"},"value":[1,"1"]},{"metric":{"a":"1"},"value":[1,"1"]}]`), metrics.ErrBadQuery,
			`2 series instead of one number, the first is {a="1"}; aggregate them, for example with sum() or max()`},

		"wrong credentials":  {401, "text/plain", "Unauthorized", metrics.ErrUnavailable, "HTTP 401 Unauthorized; check the username and password, or the token, in the provider's secret"},
		"no permission":      {403, isJSON, `{"status":"error","errorType":"forbidden","error":"no"}`, metrics.ErrUnavailable, "HTTP 403 Forbidden; check the username"},
		"too many questions": {429, isJSON, `{"status":"error","errorType":"too_many_requests","error":"slow down"}`, metrics.ErrUnavailable, "HTTP 429 Too Many Requests; it limits how often it is asked"},
		"a syntax error":     {400, isJSON, `{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:4: parse error: unclosed left parenthesis"}`, metrics.ErrBadQuery, "bad query: 1:4: parse error: unclosed left parenthesis"},
		"an execution error": {422, isJSON, `{"status":"error","errorType":"execution","error":"many-to-many matching not allowed"}`, metrics.ErrBadQuery, "many-to-many matching not allowed"},
		"VictoriaMetrics' own": {422, isJSON, `{"status":"error","errorType":"422","error":"error when executing query=\"sum(\": unexpected end"}`, metrics.ErrBadQuery,
			"error when executing query"},
		"Thanos without stores": {422, isJSON, `{"status":"error","errorType":"execution","error":"expanding series: proxy Series(): rpc error: code = Unavailable"}`, metrics.ErrUnavailable,
			"HTTP 422 Unprocessable Entity: expanding series"},
		"VictoriaMetrics without storage": {422, isJSON, `{"status":"error","errorType":"422","error":"cannot fetch query results from vmstorage nodes"}`, metrics.ErrUnavailable,
			"cannot fetch query results"},
		"a server that starts":  {503, isJSON, `{"status":"error","errorType":"unavailable","error":"TSDB not ready"}`, metrics.ErrUnavailable, "HTTP 503 Service Unavailable: TSDB not ready"},
		"its own timeout":       {503, isJSON, `{"status":"error","errorType":"timeout","error":"query timed out in expression evaluation"}`, metrics.ErrUnavailable, "query timed out in expression evaluation"},
		"an error called 200":   {200, isJSON, `{"status":"error","errorType":"bad_data","error":"oh"}`, metrics.ErrBadQuery, "bad query: oh"},
		"an internal error":     {500, isJSON, `{"status":"error","errorType":"internal","error":"oh"}`, metrics.ErrUnavailable, "HTTP 500 Internal Server Error: oh"},
		"a status without name": {599, isJSON, `{"status":"error","errorType":"internal","error":"oh"}`, metrics.ErrUnavailable, "HTTP 599: oh"},

		"an answer from some of Thanos's stores": {200, isJSON, `{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["no store matched for eu-1"]}`, metrics.ErrUnavailable,
			"it could answer only in part: no store matched for eu-1"},
		"an answer from some of VictoriaMetrics' storage": {200, isJSON, `{"status":"success","isPartial":true,"data":{"resultType":"vector","result":[]}}`, metrics.ErrUnavailable,
			"it could answer only in part: some of its storage did not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t, metrics.Config{Address: serve(t, reply(c.code, c.contentType, c.body))})
			_, err := p.Query(t.Context(), "up")
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %v: %s", err, c.kind, c.want)
			}
		})
	}
}

func TestRemarksOnTheQueryAreIgnored(t *testing.T) {
	body := strings.TrimSuffix(success, "}") + `,"warnings":["PromQL warning: bucket label missing"],"infos":["PromQL info: metric might not be a counter"]}`
	p := newProvider(t, metrics.Config{Address: serve(t, reply(200, isJSON, body))})
	got, err := p.Query(t.Context(), "vector(1)")
	if err != nil {
		t.Fatal(err)
	}
	want := metrics.Result{Value: 1, At: time.UnixMilli(1763812800500)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
}

func TestOddSamples(t *testing.T) {
	const matrix = `{"status":"success","data":{"resultType":"matrix","result":[%]}}`
	for name, c := range map[string]struct {
		result string
		want   []metrics.Series
		kind   error
	}{
		"none": {``, nil, nil},
		"what is no number is left out": {`{"metric":{"__name__":"a"},"values":[[1,"NaN"],[2,"5"],[3,"+Inf"]]}`,
			[]metrics.Series{{Labels: "a", Samples: []metrics.Sample{{At: time.Unix(2, 0), Value: 5}}}}, nil},
		"series are in the order of their labels": {`{"metric":{"__name__":"b"},"values":[]},{"metric":{"__name__":"a"},"values":[]}`,
			[]metrics.Series{{Labels: "a", Samples: []metrics.Sample{}}, {Labels: "b", Samples: []metrics.Sample{}}}, nil},
		"a native histogram has no samples to count": {`{"metric":{},"histograms":[[1,{"count":"1","sum":"1"}]]}`, nil, metrics.ErrBadQuery},
		"a series of null":                           {`null`, nil, metrics.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			address := serve(t, reply(200, isJSON, strings.Replace(matrix, "%", c.result, 1)))
			got, err := newProvider(t, metrics.Config{Address: address}).(metrics.Bulk).Samples(t.Context(),
				[]metrics.Selector{{Series: "x", Label: "of", Pattern: "y"}}, time.Minute)
			if !errors.Is(err, c.kind) {
				t.Fatalf("got %v, want %v", err, c.kind)
			}
			if c.kind != nil {
				return
			}
			if diff := cmp.Diff([][]metrics.Series{c.want}, got); diff != "" {
				t.Errorf("series (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOddAnswersToManyQueries: whatever has not its question's mark is nobody's.
func TestOddAnswersToManyQueries(t *testing.T) {
	marked := func(place string) string {
		return `{"metric":{"serin_question":"` + place + `"},"value":[1,"` + "5" + `"]}`
	}
	for name, c := range map[string]struct {
		body  string
		kinds []error
	}{
		"one is missing":             {vector("[" + marked("1") + "]"), []error{metrics.ErrNoData, nil}},
		"one has two":                {vector("[" + marked("0") + "," + marked("0") + "," + marked("1") + "]"), []error{metrics.ErrBadQuery, nil}},
		"marks that nobody gave":     {vector("[" + marked("2") + "," + marked("-1") + "," + marked("x") + "," + marked("0") + "]"), []error{nil, metrics.ErrNoData}},
		"no marks at all":            {vector(`[{"metric":{},"value":[1,"5"]}]`), []error{metrics.ErrNoData, metrics.ErrNoData}},
		"null":                       {vector("[null," + marked("0") + "]"), []error{nil, metrics.ErrNoData}},
		"a matrix":                   {`{"status":"success","data":{"resultType":"matrix","result":[]}}`, []error{metrics.ErrUnavailable, metrics.ErrUnavailable}},
		"an answer from some stores": {strings.Replace(vector("["+marked("0")+","+marked("1")+"]"), `{`, `{"warnings":["a store is away"],`, 1), []error{metrics.ErrUnavailable, metrics.ErrUnavailable}},
	} {
		t.Run(name, func(t *testing.T) {
			address := serve(t, reply(200, isJSON, c.body))
			for i, a := range newProvider(t, metrics.Config{Address: address}).(metrics.Bulk).QueryAll(t.Context(), []string{"first", "second"}) {
				if !errors.Is(a.Err, c.kinds[i]) {
					t.Errorf("query %d: %v, want %v", i, a.Err, c.kinds[i])
				}
				if a.Err != nil && !strings.Contains(a.Err.Error(), []string{"first", "second"}[i]+")") {
					t.Errorf("query %d is not named: %v", i, a.Err)
				}
			}
		})
	}
}
