// Package card is what a message looks like, as far as that is the same in every place: its words, how
// a rollout stands, its checks and its colour. How a service marks text up is the sink's.
package card

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/serin-dev/serin/notifier"
)

// Title names the canary and its revisions: apps/podinfo 6.0.1 → 6.0.2.
func Title(m notifier.Message) string {
	return strings.TrimSpace(m.Canary.String() + " " + Revisions(m))
}

// Revisions are where a rollout comes from and goes to.
func Revisions(m notifier.Message) string {
	if m.From == "" || m.To == "" {
		return m.From + m.To
	}
	return m.From + " → " + m.To
}

// Span is since when the rollout runs, or from when to when it ran.
func Span(m notifier.Message) string {
	switch {
	case m.StartedAt.IsZero():
		return ""
	case m.Kind == notifier.Ended && !m.At.IsZero():
		return Clock(m.StartedAt, m.At) + " to " + Clock(m.At, m.At)
	default:
		return "since " + Clock(m.StartedAt, m.At)
	}
}

// cells is the length of the weight bar.
const cells = 20

// Bar draws the canary's share: empty at 0 % and full at 100 % only.
func Bar(weight float64) string {
	weight = inRange(weight)
	filled := int(weight+2) * cells / 100
	switch {
	case weight == 100:
		filled = cells
	case weight > 0:
		filled = min(max(filled, 1), cells-1)
	}
	return strings.Repeat("▓", filled) + strings.Repeat("░", cells-filled)
}

// Percent writes the canary's share, down to tenths: 12.5 %.
func Percent(weight float64) string {
	return strconv.FormatFloat(inRange(weight), 'f', -1, 64) + " %"
}

func inRange(weight float64) float64 { return min(max(weight, 0), 100) }

// Standing is where the rollout stands, or how it ended: its share of the traffic, phase, step and
// times. A message that belongs to no rollout has none.
func Standing(m notifier.Message) string {
	if m.Kind == notifier.Notice {
		return ""
	}
	var parts []string
	if m.Kind != notifier.Ended {
		parts = append(parts, Bar(m.Weight)+" "+Percent(m.Weight))
	}
	if m.Phase != "" {
		parts = append(parts, m.Phase)
	}
	if m.Step > 0 && m.Kind != notifier.Ended {
		parts = append(parts, fmt.Sprintf("step %d of %d", m.Step, m.Steps))
	}
	if t := Span(m); t != "" {
		parts = append(parts, t)
	}
	if !m.NextCheckAt.IsZero() && m.Kind != notifier.Ended {
		parts = append(parts, "next check "+Clock(m.NextCheckAt, m.At))
	}
	return strings.Join(parts, " · ")
}
