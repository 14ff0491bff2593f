package pmu

import "strings"

// cutEvent splits a list at the comma behind its first event or group. Commas
// between braces, between the slashes of a PMU and in quotes belong to it.
func cutEvent(list string) (event, rest string, more bool) {
	var inTerms, inQuotes bool
	depth, start := 0, 0
	for i := range len(list) {
		switch c := list[i]; {
		case inQuotes:
			inQuotes = c != '\''
		case c == '\'' && inTerms:
			inQuotes = true
		case c == '/':
			// The slash of a breakpoint's length opens nothing.
			inTerms = !inTerms && !strings.HasPrefix(strings.TrimSpace(list[start:i]), "mem:")
		case inTerms:
		case c == '{':
			depth++
			start = i + 1
		case c == '}':
			depth--
		case c == ',' && depth > 0:
			start = i + 1
		case c == ',':
			return list[:i], list[i+1:], true
		}
	}
	return list, "", false
}

// cutTerms splits name/terms/modifiers. closed is false where only one slash is.
func cutTerms(spec string) (name, terms, modifiers string, hasTerms, closed bool) {
	name, rest, hasTerms := strings.Cut(spec, "/")
	if !hasTerms {
		return spec, "", "", false, true
	}
	end := indexUnquoted(rest, '/')
	if end < 0 {
		return name, rest, "", true, false
	}
	return name, rest[:end], rest[end+1:], true, true
}

// indexUnquoted finds a character that is not in single quotes.
func indexUnquoted(s string, c byte) int {
	quoted := false
	for i := range len(s) {
		switch {
		case s[i] == '\'':
			quoted = !quoted
		case s[i] == c && !quoted:
			return i
		}
	}
	return -1
}

// brace finds the brace that makes spec a group: one before any slash.
func brace(spec string) int {
	i := strings.IndexAny(spec, "{}/")
	if i < 0 || spec[i] == '/' {
		return -1
	}
	return i
}
