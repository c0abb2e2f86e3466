package stream

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Count is what became of the requests that were sent in some span of time.
type Count struct {
	Sent int `json:"sent"`
	// Failed are those that got no answer, or another status than the one expected.
	Failed int `json:"failed"`
	// Repeated is how often the client sent one again by itself, because a kept connection turned out to be closed
	// or its server refused the request before an answer had begun. Go's clients of HTTP and gRPC cannot be told
	// not to, and a server may end an idle connection at any time: such a request has not failed, but it is shown.
	Repeated int `json:"repeated"`
	// Versions counts the answers by the version that the application says of itself.
	Versions map[string]int `json:"versions,omitempty"`
	// Cookies counts the cookies that answers set.
	Cookies map[string]int `json:"cookies,omitempty"`
}

// Add adds another span's count.
func (c *Count) Add(o Count) {
	c.Sent += o.Sent
	c.Failed += o.Failed
	c.Repeated += o.Repeated
	if c.Versions == nil {
		c.Versions = map[string]int{}
	}
	for version, n := range o.Versions {
		c.Versions[version] += n
	}
	for cookie, n := range o.Cookies {
		if c.Cookies == nil {
			c.Cookies = map[string]int{}
		}
		c.Cookies[cookie] += n
	}
}

// Share is the percentage of a version among the answers that named one.
func (c Count) Share(version string) float64 {
	all := 0
	for _, n := range c.Versions {
		all += n
	}
	if all == 0 {
		return 0
	}
	return 100 * float64(c.Versions[version]) / float64(all)
}

func (c Count) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d sent, %d failed, %d repeated", c.Sent, c.Failed, c.Repeated)
	for _, version := range slices.Sorted(maps.Keys(c.Versions)) {
		fmt.Fprintf(&b, ", %s %.1f %%", version, c.Share(version))
	}
	return b.String()
}

// Second is the count of the requests that were sent in one second. The newest ones are not complete:
// an answer is counted when it is there, in the second of its request.
type Second struct {
	// At is the second in Unix time.
	At int64 `json:"at"`
	Count
}

// Failure is one failed request.
type Failure struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
}

// Report is a stream so far.
type Report struct {
	Spec    Spec      `json:"spec"`
	Started time.Time `json:"started"`
	// Until is when the stream was stopped, or the time of the report.
	Until time.Time `json:"until"`
	// Pending requests have no answer yet.
	Pending int   `json:"pending"`
	Total   Count `json:"total"`
	// Failures are the first of them.
	Failures []Failure `json:"failures,omitempty"`
	Seconds  []Second  `json:"seconds,omitempty"`
}

// fair is the percentage of what the rate asks for that a stream has to send. A stream makes up for all delays but its
// last, so what is missing is what a busy machine kept it from in the end.
const fair = 90

// Unsent is the error of a stream that did not keep to its rate: that few or none of its requests failed says little.
func (r Report) Unsent() error {
	took := r.Until.Sub(r.Started)
	due := int(took.Seconds() * float64(r.Spec.Rate))
	least := max(1, due*fair/100)
	if r.Total.Sent >= least {
		return nil
	}
	return fmt.Errorf("%d requests sent in %v at %d per second, which makes %d: want %d (%d %%) at least. The load generator "+
		"did not keep up; have the machine do less beside it and send again",
		r.Total.Sent, took.Round(time.Second/10), r.Spec.Rate, due, least, fair)
}

// Between adds up the seconds from one time up to, and without, another.
func (r Report) Between(from, to time.Time) Count {
	var sum Count
	for _, s := range r.Seconds {
		if s.At >= from.Unix() && s.At < to.Unix() {
			sum.Add(s.Count)
		}
	}
	return sum
}
