package main

import (
	"fmt"
	"strings"
)

// page is a screen of text: sections of lines that begin with a short label.
type page struct{ strings.Builder }

// rows are aligned by the tabs in them.
func (p *page) rows(rows []string) { p.WriteString(table("  ", rows)) }

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
