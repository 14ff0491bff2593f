package compare

import (
	"strings"
	"unicode/utf8"
)

// table lines up cells in columns: numbers to the right, text to the left. The last
// column is a name and is shortened to what the width of a terminal leaves it. Columns
// that are empty in all rows are left out. A row of one cell is a line across.
type table struct {
	columns []column
	rows    [][]string
}

type column struct {
	head string
	left bool
}

// minName is the width below which a name says nothing; a line gets longer than the
// terminal instead.
const minName = 20

// write appends the lines; a width of 0 is no limit.
func (t *table) write(b *strings.Builder, width int) {
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		for _, row := range t.rows {
			if len(row) > 1 {
				widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
			}
		}
		if widths[i] > 0 {
			widths[i] = max(widths[i], utf8.RuneCountInString(c.head))
		}
	}
	head := make([]string, len(t.columns))
	for i, c := range t.columns {
		head[i] = c.head
	}
	for _, row := range append([][]string{head}, t.rows...) {
		if len(row) == 1 {
			b.WriteString(row[0] + "\n")
			continue
		}
		t.line(b, row, widths, width)
	}
}

func (t *table) line(b *strings.Builder, row []string, widths []int, width int) {
	var line strings.Builder
	used := 0
	last := len(t.columns) - 1
	for i, cell := range row[:last] {
		if widths[i] == 0 {
			continue
		}
		pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
		if t.columns[i].left {
			cell += pad
		} else {
			cell = pad + cell
		}
		line.WriteString(cell + "  ")
		used += widths[i] + 2
	}
	name := row[last]
	if width > 0 {
		name = shorten(name, max(width-used, minName))
	}
	line.WriteString(name)
	b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
}

// shorten cuts the middle out of s to make it at most width characters wide.
func shorten(s string, width int) string {
	const gap = "..."
	r := []rune(s)
	if len(r) <= width {
		return s
	}
	keep := max(width-len(gap), 2)
	return string(r[:(keep+1)/2]) + gap + string(r[len(r)-keep/2:])
}

// wrap breaks a text at blanks into lines of at most width characters, where its words
// allow that; lines after the first are indented. A width of 0 is no limit.
func wrap(text string, width int, indent string) string {
	if width <= 0 {
		return text
	}
	// A percent sign belongs to its number.
	const glue = "\x00"
	var lines []string
	line := ""
	for _, word := range strings.Split(strings.ReplaceAll(text, " %", glue+"%"), " ") {
		switch {
		case line == "" && len(lines) == 0:
			line = word
		case utf8.RuneCountInString(line+" "+word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = indent + word
		}
	}
	return strings.ReplaceAll(strings.Join(append(lines, line), "\n"), glue, " ")
}
