// Package metricstest is the conformance suite of metrics providers: what pkg/analysis relies on, as
// tests that run against the in-memory fake and every implementation alike.
package metricstest

import (
	"testing"

	"github.com/serin-dev/serin/metrics"
)

// Harness is a provider in front of a backend that the suite can feed. Feeding returns when the
// backend would answer with what it was fed.
type Harness struct {
	Provider metrics.Provider
	// Down is the same kind of provider in front of a backend that cannot be reached.
	Down metrics.Provider
	// Reserved is the same kind of provider whose address is http://169.254.169.254; nil where users
	// write no address.
	Reserved metrics.Provider
	// Number feeds a value, possibly NaN or infinite, and returns the query that comes to it.
	Number func(t *testing.T, value float64) (query string)
	// Nothing is a good query that matches nothing.
	Nothing string
	// Malformed is a query that the backend does not understand.
	Malformed string
	// Several feeds n series and returns a query that answers with all of them; nil where the
	// backend has no such answer.
	Several func(t *testing.T, n int) (query string)
	// Counter feeds one counter, scraped once a second at these values, and returns a selector that
	// matches it alone; all of them have the label and differ in what it says. Only for a metrics.Bulk, as
	// are NoSeries, which matches nothing, and BadSelector, which is not understood.
	Counter               func(t *testing.T, scrapes ...float64) (selector metrics.Selector)
	NoSeries, BadSelector metrics.Selector
}

// Run runs the whole suite. What a provider has no interface for is left out.
func Run(t *testing.T, h Harness) {
	t.Run("Query", func(t *testing.T) { numbers(t, h) })
	t.Run("NoData", func(t *testing.T) { noData(t, h) })
	t.Run("BadQuery", func(t *testing.T) { badQuery(t, h) })
	t.Run("Unavailable", func(t *testing.T) { unavailable(t, h) })
	t.Run("Concurrency", func(t *testing.T) { concurrency(t, h) })
	if b, ok := h.Provider.(metrics.Bulk); ok {
		t.Run("QueryAll", func(t *testing.T) { together(t, h, b) })
		t.Run("Samples", func(t *testing.T) { samples(t, h, b) })
	}
}
