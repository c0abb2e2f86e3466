package promtest

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// Exporter is a scrape target whose series a test writes, in Prometheus's text format.
type Exporter struct {
	server *httptest.Server

	mu     sync.Mutex
	series map[string]*exposed
}

// exposed is one series: what the next scrapes show, and by how much each scrape lets it grow.
type exposed struct {
	values []float64
	growth float64
}

// NewExporter serves until the test ends.
func NewExporter(tb testing.TB) *Exporter {
	e := &Exporter{series: map[string]*exposed{}}
	e.server = httptest.NewServer(e)
	tb.Cleanup(e.server.Close)
	return e
}

// Target is the exporter as Start wants it.
func (e *Exporter) Target() string { return strings.TrimPrefix(e.server.URL, "http://") }

// Set shows a series, such as up{job="x"}, with these values, one a scrape; it stays at the last.
func (e *Exporter) Set(series string, values ...float64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.series[series] = &exposed{values: slices.Clone(values)}
}

// Grow shows a counter that begins at 0 and grows at each scrape.
func (e *Exporter) Grow(series string, perScrape float64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.series[series] = &exposed{values: []float64{0}, growth: perScrape}
}

// ServeHTTP answers one scrape.
func (e *Exporter) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	for _, name := range slices.Sorted(maps.Keys(e.series)) {
		value := strconv.FormatFloat(e.series[name].next(), 'g', -1, 64)
		if _, err := fmt.Fprintf(w, "%s %s\n", name, value); err != nil {
			return
		}
	}
}

func (s *exposed) next() float64 {
	v := s.values[0]
	if len(s.values) > 1 {
		s.values = s.values[1:]
	}
	s.values[0] += s.growth
	return v
}
