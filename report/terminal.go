package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// terminal makes text of foreign origin (names of functions, processes and
// files) safe to print: what is not printable, escape sequences and changes of
// writing direction included, comes as a Go escape.
func terminal(s string) string {
	plain := func(r rune, size int) bool { return unicode.IsPrint(r) && (r != utf8.RuneError || size > 1) }
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case plain(r, size):
			b.WriteString(s[i : i+size])
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		default:
			q := strconv.QuoteRune(r)
			b.WriteString(q[1 : len(q)-1])
		}
		i += size
	}
	return b.String()
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

// minName is the width below which a name says nothing; a line gets longer than
// the terminal instead.
const minName = 20

// writeColumns prints rows of cells: the last column to the left and shortened
// to what width leaves it, the others to the right. A width of 0 is no limit.
func writeColumns(w io.Writer, rows [][]string, width int) error {
	var widths []int
	for _, row := range rows {
		for i, cell := range row[:len(row)-1] {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		used := 0
		for i, cell := range row[:len(row)-1] {
			b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
			b.WriteString(cell)
			b.WriteString("  ")
			used += widths[i] + 2
		}
		last := row[len(row)-1]
		if width > 0 {
			last = shorten(last, max(width-used, minName))
		}
		b.WriteString(last)
		if _, err := fmt.Fprintln(w, strings.TrimRight(b.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

// writeJSON writes v indented, with the characters escaped that JSON allows and
// a terminal obeys.
func writeJSON(w io.Writer, v any) error {
	var raw bytes.Buffer
	enc := json.NewEncoder(&raw)
	enc.SetEscapeHTML(false) // names like vector<int> are for people too
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	var out bytes.Buffer
	for _, r := range raw.String() {
		switch {
		case r < 0x7f || unicode.IsPrint(r):
			out.WriteRune(r)
		case r > 0xffff:
			hi, lo := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00 // a surrogate pair, RFC 8259 section 7
			fmt.Fprintf(&out, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	_, err := w.Write(out.Bytes())
	return err
}

// joules, watts and seconds print a value with four digits and a unit.
func joules(v float64) string  { return quantity(v, "J", joulePrefixes) }
func watts(v float64) string   { return quantity(v, "W", []string{"u", "m", "", "k"}) }
func seconds(v float64) string { return quantity(v, "s", []string{"u", "m", ""}) }

var joulePrefixes = []string{"u", "m", "", "k", "M"}

// quantity scales v by the prefixes, which go up by 1000 from micro.
func quantity(v float64, unit string, prefixes []string) string {
	if v == 0 {
		return "0 " + unit
	}
	i, digits := form(v, len(prefixes))
	return strconv.FormatFloat(v*1e6/math.Pow(1000, float64(i)), 'f', digits, 64) + " " + prefixes[i] + unit
}

// form is how v is printed: the prefix, counted from micro, and the digits behind the point.
func form(v float64, prefixes int) (prefix, digits int) {
	v = math.Abs(v) * 1e6
	for prefix < prefixes-1 && v >= 999.95 { // 999.95 would print as 1000.0
		v /= 1000
		prefix++
	}
	switch {
	case v >= 999.95:
		return prefix, 0
	case v >= 99.995:
		return prefix, 1
	case v >= 9.9995:
		return prefix, 2
	}
	return prefix, 3
}

// plusMinus is the larger half of an interval around joules, in their unit and with
// their digits; with a unit of its own where that is of no use.
func plusMinus(v, low, high float64) string {
	half := max(v-low, high-v, 0)
	prefix, digits := form(v, len(joulePrefixes))
	scaled := half * 1e6 / math.Pow(1000, float64(prefix))
	if v == 0 || scaled >= 1000 {
		return "±" + joules(half)
	}
	return "±" + strconv.FormatFloat(scaled, 'f', digits, 64)
}

// beside prints joules with their interval, so that both stand in columns of their
// own: width is that of the widest plusMinus.
func beside(v float64, has bool, low, high float64, width int) string {
	if width == 0 {
		return joules(v)
	}
	text := ""
	if has {
		text = plusMinus(v, low, high)
	}
	return joules(v) + " " + text + strings.Repeat(" ", width-utf8.RuneCountInString(text))
}

// widest is the width of the widest of texts.
func widest(texts []string) int {
	width := 0
	for _, text := range texts {
		width = max(width, utf8.RuneCountInString(text))
	}
	return width
}

func percent(v float64) string { return strconv.FormatFloat(100*v, 'f', 1, 64) + " %" }
