package bare

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"
)

// Prometheus is the stub: every expression comes to 99.9, every counter of the canary stands still,
// and the primary has none. Shares are therefore not verified, and a canary is drained as soon as it
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

func answer(query string, now time.Time) string {
	switch {
	case !strings.HasSuffix(query, "]"):
		return fmt.Sprintf(`{"resultType":"vector","result":[{"metric":{},"value":[%d,"99.9"]}]}`, now.Unix())
	case strings.Contains(query, "-primaryupstream-"):
		return `{"resultType":"matrix","result":[]}`
	}
	var scrapes []string
	for age := 30; age >= 0; age-- {
		scrapes = append(scrapes, fmt.Sprintf(`[%d,"0"]`, now.Unix()-int64(age)))
	}
	return fmt.Sprintf(`{"resultType":"matrix","result":[{"metric":{},"values":[%s]}]}`, strings.Join(scrapes, ","))
}
