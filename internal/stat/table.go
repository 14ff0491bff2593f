package stat

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// table lines up cells in columns. Widths only grow, so that the lines of
// one interval after the other stay in their columns as far as can be.
type table struct {
	left   []bool // of each column: text, else a number
	widths []int
}

// write writes rows; nil is an empty line. Columns that are empty in all of the
// rows take no room, unless rows before had something there.
func (t *table) write(w io.Writer, rows [][]string) error {
	for len(t.widths) < len(t.left) {
		t.widths = append(t.widths, 0)
	}
	for _, row := range rows {
		for i, cell := range row {
			t.widths[i] = max(t.widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			if t.widths[i] == 0 {
				continue
			}
			if line.Len() > 0 {
				line.WriteString("  ")
			}
			pad := strings.Repeat(" ", t.widths[i]-utf8.RuneCountInString(cell))
			if t.left[i] {
				line.WriteString(cell + pad)
			} else {
				line.WriteString(pad + cell)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

// prefixes of the SI, by the power of 1000 from femto up.
var siPrefixes = []string{"f", "p", "n", "u", "m", "", "k", "M", "G", "T", "P"}

const siOne = 5 // the index of no prefix

// siRounds is the least value that rounds to four digits as 1000.
const siRounds = 999.95

// si prints a value with four digits, a prefix and the unit: 12.58 mJ.
func si(v float64, unit string) string {
	if v == 0 {
		return strings.TrimRight("0 "+unit, " ")
	}
	scaled, i := v, siOne
	for ; math.Abs(scaled) >= siRounds && i < len(siPrefixes)-1; i++ {
		scaled /= 1000
	}
	for ; math.Abs(scaled) < 0.99995 && i > 0; i-- {
		scaled *= 1000
	}
	return strings.TrimRight(digits(scaled)+" "+siPrefixes[i]+unit, " ")
}

// seconds prints a time, which has no kiloseconds.
func seconds(v float64) string {
	if math.Abs(v) >= siRounds {
		return digits(v) + " s"
	}
	return si(v, "s")
}

// digits prints a number with four digits, or all that stand before the point.
func digits(v float64) string {
	places := 3
	for limit := 9.9995; places > 0 && math.Abs(v) >= limit; limit *= 10 {
		places--
	}
	return strconv.FormatFloat(v, 'f', places, 64)
}

// whole prints a count with all of its digits in groups of three. The mean of
// several counts may lie between two.
func whole(v float64) string {
	if v != math.Trunc(v) && math.Abs(v) < 1000 {
		return digits(v)
	}
	text := strconv.FormatFloat(math.Round(math.Abs(v)), 'f', 0, 64)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	if v < 0 {
		return "-" + text
	}
	return text
}

func percent(v float64) string {
	if 0 < v && v < 0.0005 {
		return "<0.1 %"
	}
	return strconv.FormatFloat(100*v, 'f', 1, 64) + " %"
}
