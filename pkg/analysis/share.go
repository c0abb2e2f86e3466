package analysis

import (
	"fmt"
	"math"

	"github.com/serin-dev/serin/apis/v1beta1"
)

// Counts are the requests that the proxies sent to each side since a weight was written.
// Known is false where nothing could be counted, which says nothing about the weight.
type Counts struct {
	Primary, Canary int64
	Known           bool
	// Soon is true where the counters exist and only too few samples of them have been taken yet.
	Soon bool
	// Message says why nothing could be counted.
	Message string
}

// Force says whether the proxies follow a weight.
type Force string

const (
	// InForce: the observed share agrees with the weight, on enough requests to tell.
	InForce Force = "InForce"
	// Contradicted: the observed share cannot come from the weight.
	Contradicted Force = "Contradicted"
	// Unverified: too little was seen to say either.
	Unverified Force = "Unverified"
)

// Share is the canary's observed share of the requests.
type Share struct {
	Force    Force
	Percent  float64
	Requests int64
	// Soon is true for a share that is not verified yet and will be known with the next samples.
	Soon    bool
	Message string
}

const (
	// fewRequests is how many requests tell nothing about a share, and manyRequests is how many come
	// where more are soon to follow.
	fewRequests, manyRequests = 50, 200
	// shareSigmas and shareSlack bound the distance that chance and the edges of a scrape explain.
	// Proxies pick a side for each request independently, so the count is binomial.
	shareSigmas = 3
	shareSlack  = 0.005
	// shareOdds is the logarithm of the odds, 55 to 1, at which the counts decide between the weight
	// and the one before it. A distance from the weight alone would take a share between the two for
	// either of them, and a gateway that stands still gets many looks.
	shareOdds = 4
)

// JudgeShare compares the observed share of requests with the weight that was set, and with
// the weight before it, which is what a gateway serves that did not follow.
func JudgeShare(weight, before v1beta1.Weight, c Counts) Share {
	n := c.Primary + c.Canary
	if !c.Known || n == 0 {
		msg := c.Message
		if msg == "" {
			msg = "no requests were counted"
		}
		return Share{Force: Unverified, Soon: c.Soon, Message: "weight not verified: " + msg}
	}
	want := weight.Percent() / 100
	seen := float64(c.Canary) / float64(n)
	tolerance := shareSigmas*math.Sqrt(want*(1-want)/float64(n)) + shareSlack
	odds := logOdds(want, before.Percent()/100, c)
	s := Share{Percent: seen * 100, Requests: n}
	text := fmt.Sprintf("%s %% of %d requests seen on the canary", tenth(s.Percent), n)
	switch {
	case n < fewRequests:
		s.Force, s.Message = Unverified, text+": too few to verify the weight"
	case math.Abs(seen-want) > tolerance || odds <= -shareOdds:
		s.Force, s.Message = Contradicted, fmt.Sprintf("%s, weight is %s %%", text, weight)
	case odds < shareOdds && weight != before:
		s.Force, s.Soon = Unverified, n >= manyRequests
		s.Message = fmt.Sprintf("%s, which may be %s %% or still %s %%", text, weight, before)
	default:
		s.Force, s.Message = InForce, text
	}
	return s
}

// logOdds is the logarithm of how much likelier the counts are under one share than under another.
// No share is taken for impossible: a straggler is no proof.
func logOdds(want, before float64, c Counts) float64 {
	const least = 0.001
	want, before = min(max(want, least), 1-least), min(max(before, least), 1-least)
	return float64(c.Canary)*math.Log(want/before) + float64(c.Primary)*math.Log((1-want)/(1-before))
}

func tenth(v float64) string { return fmt.Sprintf("%.1f", v) }

// Traffic is what still reached the canary after its weight went to zero, in samples newer than that.
type Traffic struct {
	// Known is false with fewer than two samples newer than the shift.
	Known bool
	// New requests between the first and the last of those samples, and requests in flight at the last.
	New, Active int64
	// ActiveKnown is false where no proxy, or not each of them, shows what is in flight.
	ActiveKnown bool
	// Message says why it is not known.
	Message string
}

// Quiet is true when it is known that nothing reaches the canary any more.
func (t Traffic) Quiet() bool { return t.Known && t.New == 0 && t.ActiveKnown && t.Active == 0 }
