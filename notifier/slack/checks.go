package slack

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/serin-dev/serin/notifier"
)

const (
	// maxChecks keeps a card readable, and its block within Slack's limit with maxRow.
	maxChecks = 12
	maxRow    = 200
	// maxColumn is the widest that a column is drawn; a longer text pushes its row only.
	maxColumn = 24
)

// checkTable lines the checks up in columns, one a line, for a block of fixed-width text.
func checkTable(checks []notifier.Check) string {
	shown, left := selectChecks(checks)
	names, values := 0, 0
	for _, c := range shown {
		names = max(names, min(width(c.Name), maxColumn))
		values = max(values, min(width(c.Value), maxColumn))
	}
	rows := make([]string, 0, len(shown)+1)
	for _, c := range shown {
		row := strings.Join([]string{mark(c.Verdict), pad(c.Name, names), pad(c.Value, values), terms(c)}, "  ")
		rows = append(rows, escape(strings.TrimRight(row, " "), maxRow))
	}
	if left > 0 {
		rows = append(rows, fmt.Sprintf("… and %d more", left))
	}
	return strings.Join(rows, "\n")
}

// selectChecks keeps the order that the reader knows from the Canary. When there are too many it takes
// those that did not pass first, so that none of them is hidden by one that did.
func selectChecks(checks []notifier.Check) (shown []notifier.Check, left int) {
	shown = slices.Clone(checks)
	if len(shown) > maxChecks {
		slices.SortStableFunc(shown, func(a, b notifier.Check) int { return rank(a) - rank(b) })
		shown, left = shown[:maxChecks], len(shown)-maxChecks
	}
	for i, c := range shown {
		shown[i].Name, shown[i].Value, shown[i].Threshold = inCode(c.Name), inCode(c.Value), inCode(c.Threshold)
	}
	return shown, left
}

func rank(c notifier.Check) int {
	return slices.Index([]string{"Failed", "Inconclusive", "", "Passed"}, c.Verdict)
}

// inCode makes text that cannot close the block of fixed-width text that it stands in.
func inCode(s string) string { return strings.ReplaceAll(oneLine(s), "`", "'") }

func mark(verdict string) string {
	switch verdict {
	case "Passed":
		return "✓"
	case "Failed":
		return "✗"
	default:
		return "?"
	}
}

// terms is what the value was held against and what it stands on.
func terms(c notifier.Check) string {
	var parts []string
	if c.Threshold != "" {
		parts = append(parts, c.Threshold)
	}
	switch {
	case c.Requests == 1:
		parts = append(parts, "1 request")
	case c.Requests > 1:
		parts = append(parts, grouped(c.Requests)+" requests")
	}
	if len(parts) == 0 {
		return ""
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// grouped writes a positive number with its thousands apart: 1,204.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func width(s string) int { return utf8.RuneCountInString(s) }

func pad(s string, to int) string { return s + strings.Repeat(" ", max(to-width(s), 0)) }
