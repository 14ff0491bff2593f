package compare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
)

// WriteJSON writes the result as one object, indented. Characters that JSON allows and
// a terminal obeys are escaped.
func (r *Result) WriteJSON(w io.Writer) error {
	var raw bytes.Buffer
	e := json.NewEncoder(&raw)
	e.SetEscapeHTML(false) // names like vector<int> are for people too
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	var out bytes.Buffer
	for _, c := range raw.String() {
		if c < 0x7f || unicode.IsPrint(c) {
			out.WriteRune(c)
			continue
		}
		if high, low := utf16.EncodeRune(c); high != unicode.ReplacementChar {
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		} else {
			fmt.Fprintf(&out, `\u%04x`, c)
		}
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}
