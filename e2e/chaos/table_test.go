package chaos

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// table counts what was tried, in Markdown.
type table struct {
	columns []string

	mu   sync.Mutex
	rows []*row
}

type row struct {
	table *table
	name  string
	n     map[string]int
}

// newTable is printed when the test and all below it are over.
func newTable(t *testing.T, title string, columns ...string) *table {
	tab := &table{columns: columns}
	t.Cleanup(func() { tab.print(title) })
	return tab
}

func (t *table) row(name string) *row {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &row{table: t, name: name, n: map[string]int{}}
	t.rows = append(t.rows, r)
	return r
}

func (r *row) add(column string) { r.set(column, -1) }

// set writes a figure; below zero it counts one more.
func (r *row) set(column string, n int) {
	r.table.mu.Lock()
	defer r.table.mu.Unlock()
	if n < 0 {
		n = r.n[column] + 1
	}
	r.n[column] = n
}

func (t *table) print(title string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s:\n\n", title)
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(t.columns)
	line(strings.Split(strings.Repeat("--- ", len(t.columns))[:4*len(t.columns)-1], " "))
	total := row{name: "all", n: map[string]int{}}
	for _, r := range append(t.rows, &total) {
		cells := []string{r.name}
		for _, c := range t.columns[1:] {
			cells = append(cells, fmt.Sprint(r.n[c]))
			total.n[c] += r.n[c]
		}
		line(cells)
	}
	fmt.Print(b.String())
}
