package memory

import (
	"math"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"
)

// table lines up cells in columns: numbers to the right, text to the left. The last column is text and is shortened
// to what the width of a terminal leaves it. Columns that are empty in all rows are left out.
type table struct {
	columns []column
	rows    [][]string
}

type column struct {
	head string
	left bool
}

// minName is the width below which a name says nothing; a line gets longer than the terminal instead.
const minName = 20

// write appends the lines; a width of 0 is no limit.
func (t *table) write(b *strings.Builder, width int) {
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		for _, row := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
		if widths[i] > 0 {
			widths[i] = max(widths[i], utf8.RuneCountInString(c.head))
		}
	}
	head := make([]string, len(t.columns))
	for i, c := range t.columns {
		head[i] = c.head
	}
	t.line(b, head, widths, width)
	for _, row := range t.rows {
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

// prefixes of the SI, by the power of 1000 from nano up.
var prefixes = []string{"n", "u", "m", "", "k", "M", "G", "T", "P", "E"}

const one = 3 // the index of no prefix

// si prints a value with four digits, a prefix and the unit: 12.58 mJ.
func si(v float64, unit string) string {
	if v == 0 {
		return strings.TrimRight("0 "+unit, " ")
	}
	i := one
	for ; math.Abs(v) >= 999.95 && i < len(prefixes)-1; i++ {
		v /= 1000
	}
	for ; math.Abs(v) < 0.99995 && i > 0; i-- {
		v *= 1000
	}
	return strings.TrimRight(digits(v)+" "+prefixes[i]+unit, " ")
}

// digits prints a number with four digits, or all that stand before the point.
func digits(v float64) string {
	places := 3
	for limit := 9.9995; places > 0 && math.Abs(v) >= limit; limit *= 10 {
		places--
	}
	return strconv.FormatFloat(v, 'f', places, 64)
}

// amount prints a number of things: all digits of small ones.
func amount(n uint64) string {
	if n < 10000 {
		return whole(n)
	}
	return si(float64(n), "")
}

// whole prints all digits in groups of three.
func whole(n uint64) string {
	text := strconv.FormatUint(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// traffic prints bytes with the prefixes of the SI, as bandwidth is told.
func traffic(n uint64) string {
	if n < 1000 {
		return strconv.FormatUint(n, 10) + " B"
	}
	return si(float64(n), "B")
}

// size prints the size of a page, which is a power of two.
func size(n uint64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	i := (bits.Len64(n) - 1) / 10
	return strconv.FormatUint(n>>(10*i), 10) + " " + units[i]
}

func percent(v float64) string {
	if 0 < v && v < 0.0005 {
		return "<0.1 %"
	}
	return strconv.FormatFloat(100*v, 'f', 1, 64) + " %"
}

// cycles prints a latency.
func cycles(v *float64) string {
	if v == nil {
		return ""
	}
	if *v < 1e6 {
		return strconv.FormatFloat(*v, 'f', 0, 64)
	}
	return si(*v, "")
}

// spark draws the heat of a page, the hottest slot as the full block; slots without any are blank.
func spark(heat []uint64) string {
	most := uint64(0)
	for _, n := range heat {
		most = max(most, n)
	}
	marks := []rune("▁▂▃▄▅▆▇█")
	var b strings.Builder
	for _, n := range heat {
		if n == 0 {
			b.WriteByte(' ')
			continue
		}
		i := int(math.Ceil(float64(n)/float64(most)*float64(len(marks)))) - 1
		b.WriteRune(marks[min(max(i, 0), len(marks)-1)])
	}
	return b.String()
}
