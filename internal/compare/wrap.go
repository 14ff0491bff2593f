package compare

import (
	"strings"
	"unicode/utf8"
)

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
