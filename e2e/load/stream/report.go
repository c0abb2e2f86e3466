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
	// Repeated are those that Go's client sent again by itself, because a kept connection turned out
	// to be closed before the first byte of an answer. Every client does so, but it is not hidden.
	Repeated int `json:"repeated,omitempty"`
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
	fmt.Fprintf(&b, "%d sent, %d failed", c.Sent, c.Failed)
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
	// Pending requests have no answer yet.
	Pending int   `json:"pending"`
	Total   Count `json:"total"`
	// Failures are the first of them.
	Failures []Failure `json:"failures,omitempty"`
	Seconds  []Second  `json:"seconds,omitempty"`
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
