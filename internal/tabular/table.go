// Package tabular lines up cells in columns, for tables that people read on a terminal.
package tabular

import (
	"strings"
	"unicode/utf8"
)

// Table lines up cells in columns: numbers to the right, text to the left. The last
// column is a name and is shortened to what the width of a terminal leaves it. Columns
// that are empty in all rows are left out. A row of one cell is a line across.
type Table struct {
	Columns []Column
	Rows    [][]string
}

// Column is one of a Table's.
type Column struct {
	Head string
	Left bool // text; else a number
}

// MinName is the width below which a name says nothing; a line gets longer than the
// terminal instead.
const MinName = 20

// Write appends the lines; a width of 0 is no limit.
func (t *Table) Write(b *strings.Builder, width int) {
	widths := make([]int, len(t.Columns))
	for i, c := range t.Columns {
		for _, row := range t.Rows {
			if len(row) > 1 {
				widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
			}
		}
		if widths[i] > 0 {
			widths[i] = max(widths[i], utf8.RuneCountInString(c.Head))
		}
	}
	head := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		head[i] = c.Head
	}
	for _, row := range append([][]string{head}, t.Rows...) {
		if len(row) == 1 {
			b.WriteString(row[0] + "\n")
			continue
		}
		t.line(b, row, widths, width)
	}
}

func (t *Table) line(b *strings.Builder, row []string, widths []int, width int) {
	var line strings.Builder
	used := 0
	last := len(t.Columns) - 1
	for i, cell := range row[:last] {
		if widths[i] == 0 {
			continue
		}
		pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
		if t.Columns[i].Left {
			cell += pad
		} else {
			cell = pad + cell
		}
		line.WriteString(cell + "  ")
		used += widths[i] + 2
	}
	name := row[last]
	if width > 0 {
		name = Shorten(name, max(width-used, MinName))
	}
	line.WriteString(name)
	b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
}

// Shorten cuts the middle out of s to make it at most width characters wide.
func Shorten(s string, width int) string {
	const gap = "..."
	r := []rune(s)
	if len(r) <= width {
		return s
	}
	keep := max(width-len(gap), 2)
	return string(r[:(keep+1)/2]) + gap + string(r[len(r)-keep/2:])
}
