package notifier

import (
	"strings"
	"time"
)

// Sentence is the decision and whom it concerns in one line of plain text; who reads nothing else
// knows what happened: "apps/podinfo 6.0.2 rolled back after 1m25s: success rate 96.2 % < 99 % in 5
// checks. All traffic on 6.0.1". The cluster is left to the sink, which may have a place for it.
func (m Message) Sentence() string {
	subject := m.Canary.String()
	if m.To != "" && m.Kind != Notice {
		subject += " " + m.To
	}
	line := m.Line()
	switch {
	case line == "":
		return subject
	case m.Kind == Ended:
		return subject + " " + line
	default:
		return subject + " · " + line
	}
}

// Line is the decision without whom it concerns, for places that hold one rollout only.
func (m Message) Line() string {
	line := strings.TrimSuffix(m.What, ".")
	if d := m.Took(); m.Kind == Ended && d != "" {
		line += " after " + d
	}
	line = join(line, ": ", strings.TrimSuffix(m.Why, "."))
	return join(line, ". ", m.Next)
}

// Took is the time from the rollout's start to this message, to the second and without trailing
// zeros: 1m25s, 10m, 2h. It is empty when either is not known.
func (m Message) Took() string {
	if m.StartedAt.IsZero() || m.At.Before(m.StartedAt) {
		return ""
	}
	s := m.At.Sub(m.StartedAt).Round(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func join(a, sep, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + sep + b
}
