// Package prometheus asks anything that speaks Prometheus's HTTP API: Prometheus itself, Thanos,
// Mimir, VictoriaMetrics. It asks and reads answers; it neither retries nor caches nor judges.
//
// # Writing a success rate
//
// The obvious query is wrong exactly when it matters most:
//
//	100 * sum(rate(requests{code!~"5.."}[1m])) / sum(rate(requests[1m]))
//
// A series exists only once a response with its code was seen. While every response is a 5xx the
// numerator matches no series, an empty vector divided by anything is empty, and the worst revision
// possible has "no data". The numerator has to say that nothing is zero:
//
//	100 * (sum(rate(requests{code!~"5.."}[1m])) or vector(0)) / sum(rate(requests[1m]))
//
// With that, all 5xx gives 0; no traffic gives 0/0, which is NaN, and no series at all gives none:
// both are no data, as they should be. Put no such default under the division: it would turn no
// evidence into a number.
//
// Two more traps. rate and increase extrapolate, and count from the second scrape of a series: what a
// code's first scrape already shows is not in them, so a short burst of a code never seen before is
// missed. And a bare selector answers with a value up to five minutes old.
package prometheus
