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
	want = w.whole(want)
	var s string
	switch {
	case !w.Exists:
		return "does not exist yet"
	case !w.Synced:
		return "the new template is being taken up"
	case w.Updated < w.Pods:
		s = podsOf(w.Pods-w.Updated, "") + " of an older revision still to be replaced"
	case w.Available < want:
		s = fmt.Sprintf("%d of %s ready", w.Available, podsOf(want, ""))
	case w.Endpoints < want:
		s = fmt.Sprintf("%d of %s reachable through its Service", w.Endpoints, podsOf(want, "ready"))
	default:
		s = fmt.Sprintf("%d of %s asked for", w.Replicas, podsOf(want, ""))
	}
	if w.Trouble != "" {
		s += ": " + w.Trouble
	}
	return s
}

// podsOf counts pods as people do: 1 pod, 2 pods.
func podsOf(n int32, kind string) string {
	s := fmt.Sprintf("%d ", n)
	if kind != "" {
		s += kind + " "
	}
	if n == 1 {
		return s + "pod"
	}
	return s + "pods"
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
func clip(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= maxMessage {
		return s
	}
	s = s[:maxMessage-3]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}
