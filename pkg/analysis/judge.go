// Package analysis is the judge: measured numbers and thresholds go in, a verdict with its
// arithmetic comes out. It is pure: it asks nothing, knows no clock, and never takes the absence of
// evidence for evidence.
package analysis

import (
	"fmt"
	"math"
	"strconv"
)

// Verdict of one check.
type Verdict string

const (
	Passed       Verdict = "Passed"
	Failed       Verdict = "Failed"
	Inconclusive Verdict = "Inconclusive"
)

// Evidence says what a question came to.
type Evidence string

const (
	// Measured: there is a number.
	Measured Evidence = "Measured"
	// NoData: the provider answered and had nothing to say.
	NoData Evidence = "NoData"
	// BadQuery: asking the same again cannot help.
	BadQuery Evidence = "BadQuery"
	// Unavailable: the provider could not be asked. It says nothing about the revision.
	Unavailable Evidence = "Unavailable"
)

// Threshold bounds a value; a nil side is unbounded. Unit is printed behind values: " %", " ms" or "".
type Threshold struct {
	Min, Max *float64
	Unit     string
}

// String reads as users write it: ≥ 99 %, ≤ 500 ms, 1 to 5.
func (t Threshold) String() string {
	switch {
	case t.Min != nil && t.Max != nil:
		return fmt.Sprintf("%s to %s%s", Number(*t.Min), Number(*t.Max), t.Unit)
	case t.Min != nil:
		return fmt.Sprintf("≥ %s%s", Number(*t.Min), t.Unit)
	case t.Max != nil:
		return fmt.Sprintf("≤ %s%s", Number(*t.Max), t.Unit)
	}
	return "none"
}

// Check is a judged measurement. Value and Threshold carry their units.
type Check struct {
	Name             string
	Verdict          Verdict
	Evidence         Evidence
	Value, Threshold string
	Requests         int64
	Message          string
}

// Measurement is what a metric's question came to. Message explains everything but Measured;
// Requests is the number of requests that the value stands on, 0 when not known.
type Measurement struct {
	Evidence Evidence
	Value    float64
	Requests int64
	Message  string
}

// Judge holds one measurement against its threshold.
func Judge(name string, t Threshold, m Measurement) Check {
	c := Check{Name: name, Evidence: m.Evidence, Threshold: t.String(), Requests: m.Requests}
	if m.Evidence == Measured && (math.IsNaN(m.Value) || math.IsInf(m.Value, 0)) {
		c.Evidence, m.Message = NoData, "the value is not a number"
	}
	if c.Evidence != Measured {
		c.Verdict, c.Message = Inconclusive, fmt.Sprintf("%s: %s", name, m.Message)
		return c
	}
	c.Value = Number(m.Value) + t.Unit
	c.Verdict = Passed
	relation := t.String()
	switch {
	case t.Min != nil && m.Value < *t.Min:
		c.Verdict, relation = Failed, fmt.Sprintf("< %s%s", Number(*t.Min), t.Unit)
	case t.Max != nil && m.Value > *t.Max:
		c.Verdict, relation = Failed, fmt.Sprintf("> %s%s", Number(*t.Max), t.Unit)
	}
	c.Message = fmt.Sprintf("%s %s %s", name, c.Value, relation)
	if m.Requests > 0 {
		c.Message += fmt.Sprintf(" (%d requests)", m.Requests)
	}
	return c
}

// Number prints a value with as many digits as help a reader: 96.2, 99.94, 48, 0.0031. It never
// rounds up to a whole: 99.996 must not read as the 100 that it is not.
func Number(v float64) string {
	digits := 2
	if a := math.Abs(v); a >= 1000 {
		digits = 0
	} else if a > 0 && a < 1 {
		digits = 4
	}
	scale := math.Pow(10, float64(digits))
	return strconv.FormatFloat(math.Trunc(v*scale+math.Copysign(1e-9, v))/scale, 'f', -1, 64)
}
