package bare

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"time"
)

// Prometheus is the stub: every expression comes to 99.9, every counter of a canary stands still,
// and a primary has none. Shares are therefore not verified, and a canary is drained as soon as it
// is asked.
type Prometheus struct {
	*httptest.Server
	queries atomic.Int64
}

// StartPrometheus starts one; its Close ends it.
func StartPrometheus() *Prometheus {
	p := &Prometheus{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.queries.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"status":"success","data":%s}`, answer(r.FormValue("query"), time.Now())) // the client sees a short answer
	}))
	return p
}

// Queries is how many it has answered.
func (p *Prometheus) Queries() int64 { return p.queries.Load() }

// questions are the places of those that share a request, patterns what a selector's label has to match.
var (
	questions = regexp.MustCompile(`"serin_question", ("\d+")`)
	patterns  = regexp.MustCompile(`(\w+)=~"([^"]*)"`)
)

func answer(query string, now time.Time) string {
	if strings.HasSuffix(query, "]") {
		return fmt.Sprintf(`{"resultType":"matrix","result":[%s]}`, strings.Join(counters(query, now), ","))
	}
	values := []string{fmt.Sprintf(`{"metric":{},"value":[%d,"99.9"]}`, now.Unix())}
	if places := questions.FindAllStringSubmatch(query, -1); places != nil {
		values = nil
		for _, place := range places {
			values = append(values, fmt.Sprintf(`{"metric":{"serin_question":%s},"value":[%d,"99.9"]}`, place[1], now.Unix()))
		}
	}
	return fmt.Sprintf(`{"resultType":"vector","result":[%s]}`, strings.Join(values, ","))
}

// counters are those of the canaries that a selector asks about.
func counters(query string, now time.Time) (series []string) {
	var scrapes []string
	for age := 30; age >= 0; age-- {
		scrapes = append(scrapes, fmt.Sprintf(`[%d,"0"]`, now.Unix()-int64(age)))
	}
	for _, matcher := range patterns.FindAllStringSubmatch(query, -1) {
		for name := range strings.SplitSeq(matcher[2], "|") {
			if !strings.Contains(name, "-primary") {
				series = append(series, fmt.Sprintf(`{"metric":{%q:%q},"values":[%s]}`, matcher[1], name, strings.Join(scrapes, ",")))
			}
		}
	}
	return series
}
