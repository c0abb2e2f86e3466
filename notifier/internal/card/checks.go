package card

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/serin-dev/serin/notifier"
)

const (
	// maxChecks keeps a card readable, and its table within the services' limits with MaxRow.
	maxChecks = 12
	// MaxRow is the most that a row of a table has, in characters.
	MaxRow = 200
	// maxColumn is the widest that a column is drawn; a longer text pushes its row only.
	maxColumn = 24
	// maxCell bounds a cell where the service draws the table.
	maxCell = 80
)

// Row is a check in the words of a table.
type Row struct {
	Check notifier.Check
	// Mark tells the verdict: ✓, ✗ or ?.
	Mark string
	// Terms are what the value was held against and what it stands on: ≥ 99 %, 1,204 requests.
	Terms string
}

// Rows are the checks to show, and how many are left. They keep the order that the reader knows from
// the Canary; when there are too many, those that did not pass are taken first, so that none of them is
// hidden by one that did. No text of theirs can end a block of fixed-width text.
func Rows(checks []notifier.Check) (rows []Row, left int) {
	shown := slices.Clone(checks)
	if len(shown) > maxChecks {
		slices.SortStableFunc(shown, func(a, b notifier.Check) int { return rank(a) - rank(b) })
		shown, left = shown[:maxChecks], len(shown)-maxChecks
	}
	for _, c := range shown {
		c.Name, c.Value, c.Threshold = inCode(c.Name), inCode(c.Value), inCode(c.Threshold)
		rows = append(rows, Row{c, mark(c.Verdict), terms(c)})
	}
	return rows, left
}

// Cells are the rows for services that draw the table themselves, each text cut to what fits one.
func Cells(checks []notifier.Check) (rows []Row, left int) {
	rows, left = Rows(checks)
	for i := range rows {
		r := &rows[i]
		r.Check.Name, r.Check.Value, r.Terms = Clip(r.Check.Name, maxCell), Clip(r.Check.Value, maxCell), Clip(r.Terms, maxCell)
	}
	return rows, left
}

// Table lines the checks up in columns, one a line, for a block of fixed-width text. Each row goes
// through escape, which cuts it to so many characters.
func Table(checks []notifier.Check, escape func(row string, most int) string) string {
	shown, left := Rows(checks)
	names, values := 0, 0
	for _, r := range shown {
		names = max(names, min(width(r.Check.Name), maxColumn))
		values = max(values, min(width(r.Check.Value), maxColumn))
	}
	lines := make([]string, 0, len(shown)+1)
	for _, r := range shown {
		terms := r.Terms
		if terms != "" {
			terms = "(" + terms + ")"
		}
		line := strings.Join([]string{r.Mark, pad(r.Check.Name, names), pad(r.Check.Value, values), terms}, "  ")
		lines = append(lines, escape(strings.TrimRight(line, " "), MaxRow))
	}
	if left > 0 {
		lines = append(lines, More(left))
	}
	return strings.Join(lines, "\n")
}

// More stands for the checks that are not shown.
func More(left int) string { return fmt.Sprintf("… and %d more", left) }

func rank(c notifier.Check) int {
	return slices.Index([]string{"Failed", "Inconclusive", "", "Passed"}, c.Verdict)
}

// inCode makes text that cannot close the block of fixed-width text that it stands in.
func inCode(s string) string { return strings.ReplaceAll(OneLine(s), "`", "'") }

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
	return strings.Join(parts, ", ")
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
