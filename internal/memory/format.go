package memory

import (
	"math"
	"math/bits"
	"strconv"
	"strings"
)

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
