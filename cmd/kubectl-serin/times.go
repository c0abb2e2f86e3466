package main

import (
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
)

// clock prints a time as the operator's own messages do, with the date where it is another day.
func clock(now, t time.Time) string {
	if t, now := t.UTC(), now.UTC(); t.YearDay() == now.YearDay() && t.Year() == now.Year() {
		return t.Format("15:04:05Z")
	}
	return t.UTC().Format("2006-01-02 15:04Z")
}

// ago says how long a time is past; a clock that is ahead of ours makes it now.
func ago(now, t time.Time) string {
	if d := now.Sub(t); d >= time.Second {
		return duration.HumanDuration(d) + " ago"
	}
	return "just now"
}

// when says how far off a time is, on either side.
func when(now, t time.Time) string {
	if t.After(now) {
		return "in " + duration.HumanDuration(t.Sub(now).Round(time.Second)) + ", at " + clock(now, t)
	}
	return ago(now, t) + ", at " + clock(now, t)
}
