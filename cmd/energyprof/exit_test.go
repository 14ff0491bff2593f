package main

import (
	"errors"
	"testing"
)

// What an error names may be anybody's choice; a terminal must not obey it, and
// it stays one line.
func TestMessageIsOneHarmlessLine(t *testing.T) {
	for text, want := range map[string]string{
		"open ü: no such file": "open ü: no such file",
		"a\x1b[31m\nb\r\a":     `a\x1b[31m b\r\a`,
		"right\u202eleft":      `right\u202eleft`,
	} {
		if got := message(errors.New(text)); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
