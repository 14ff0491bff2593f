package pmu

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Words is the number of config words of struct perf_event_attr: config,
// config1, config2, config3 (PERF_ATTR_SIZE_VER8) and config4 (VER9).
const Words = 5

// Field is one file of a PMU's format directory, such as "config:0-7,32-35"
// (Documentation/ABI/testing/sysfs-bus-event_source-devices-format).
type Field struct {
	Word int    // 0 is config, 1 is config1, and so on
	Mask uint64 // the bits of that word that hold the value, lowest bit first
}

// parseField reads the content of a format file.
func parseField(s string) (Field, error) {
	s = strings.TrimSpace(s)
	name, ranges, ok := strings.Cut(s, ":")
	if !ok {
		return Field{}, fmt.Errorf("format %q has no colon", s)
	}
	word, ok := wordIndex(name)
	if !ok {
		return Field{}, fmt.Errorf("format %q: %q is none of the attribute's config words", s, name)
	}
	f := Field{Word: word}
	for part := range strings.SplitSeq(ranges, ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		first, err1 := strconv.ParseUint(low, 10, 32)
		last, err2 := strconv.ParseUint(high, 10, 32)
		if err1 != nil || err2 != nil || first > last || last > 63 {
			return Field{}, fmt.Errorf("format %q: %q is no range of bits 0-63", s, part)
		}
		f.Mask |= ^uint64(0) >> (63 - (last - first)) << first
	}
	return f, nil
}

// wordIndex knows the names of the config words: "config", "config1", ...
func wordIndex(name string) (int, bool) {
	suffix, ok := strings.CutPrefix(name, "config")
	if !ok {
		return 0, false
	}
	switch suffix {
	case "":
		return 0, true
	case "1", "2", "3", "4":
		return int(suffix[0] - '0'), true
	}
	return 0, false
}

func wordName(word int) string {
	if word == 0 {
		return "config"
	}
	return "config" + strconv.Itoa(word)
}

// Max is the largest value that fits the field.
func (f Field) Max() uint64 {
	return ^uint64(0) >> (64 - bits.OnesCount64(f.Mask))
}

// span is the range of values, "0-0xff".
func (f Field) span() string { return fmt.Sprintf("0-%#x", f.Max()) }

// Put replaces the field's bits of its word. A value wider than the field is
// an error, as perf has it, and never cut.
func (f Field) Put(words *[Words]uint64, value uint64) error {
	if value > f.Max() {
		return fmt.Errorf("%#x is out of range %s (%s)", value, f.span(), f)
	}
	words[f.Word] &^= f.Mask
	for mask := f.Mask; mask != 0 && value != 0; mask &= mask - 1 {
		if value&1 != 0 {
			words[f.Word] |= mask & -mask
		}
		value >>= 1
	}
	return nil
}

// String is the form of the format file: "config:0-7,32-35".
func (f Field) String() string {
	var set []int
	for mask := f.Mask; mask != 0; mask &= mask - 1 {
		set = append(set, bits.TrailingZeros64(mask))
	}
	return wordName(f.Word) + ":" + FormatCPUList(set)
}
