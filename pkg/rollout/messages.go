package rollout

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// maxMessage bounds what goes into a condition or a record.
const maxMessage = 1024

// progress says how far a workload is: what is missing, and why where the cluster says so.
func progress(w Workload, want int32) string {
	var s string
	switch {
	case !w.Exists:
		return "does not exist yet"
	case !w.Synced:
		return "the new template is being taken up"
	case w.Updated < w.Pods:
		s = fmt.Sprintf("%d pods of an older revision are being replaced", w.Pods-w.Updated)
	case w.Available < want:
		s = fmt.Sprintf("%d of %d pods are ready", w.Available, want)
	case w.Endpoints < want:
		s = fmt.Sprintf("%d of %d ready pods can be reached through its Service", w.Endpoints, want)
	default:
		s = fmt.Sprintf("%d of %d pods wanted", w.Replicas, want)
	}
	if w.Trouble != "" {
		s += ": " + w.Trouble
	}
	return s
}

// clock prints a time of day; texts may be read long after they were written.
func clock(t time.Time) string { return t.UTC().Format("15:04:05Z") }

// span prints a duration as people say it: 1m25s.
func span(d time.Duration) string { return d.Round(time.Second).String() }

func ordinal(n int32) string {
	suffix := "th"
	switch {
	case n%100 >= 11 && n%100 <= 13:
	case n%10 == 1:
		suffix = "st"
	case n%10 == 2:
		suffix = "nd"
	case n%10 == 3:
		suffix = "rd"
	}
	return fmt.Sprintf("%d%s", n, suffix)
}

// clip bounds a text and keeps it on one line.
func clip(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= n {
		return s
	}
	s = s[:n-3]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}
