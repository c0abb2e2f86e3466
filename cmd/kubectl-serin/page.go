package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// page is a screen of text: sections of lines that begin with a short label.
type page struct{ strings.Builder }

// section begins a part of the page.
func (p *page) section(format string, args ...any) {
	if p.Len() > 0 {
		p.WriteByte('\n')
	}
	fmt.Fprintf(p, format+"\n", args...)
}

// line has a label and a text; without a text there is no line.
func (p *page) line(label, text string) {
	if text != "" {
		fmt.Fprintf(p, "  %-9s %s\n", label, text)
	}
}

// table aligns rows whose cells are separated by tabs.
func (p *page) table(rows []string) {
	w := tabwriter.NewWriter(p, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(w, "  "+row)
	}
	_ = w.Flush() // into memory
}

// text is the page without what the table leaves at the ends of lines.
func (p *page) text() string {
	lines := strings.Split(p.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}
