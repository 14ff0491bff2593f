package verdict

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf16"
)

// Text writes the report for people. printable makes of a name, which may hold anything, what no terminal obeys. No line
// begins with a name, which a CI system might take for a command to it.
func (r *Report) Text(w io.Writer, printable func(string) string) error {
	if _, err := io.WriteString(w, r.text(printable)); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

func (r *Report) text(printable func(string) string) string {
	var b strings.Builder
	line := func(prefix, text string) { b.WriteString(prefix + printable(text) + "\n") }
	b.WriteString("check: " + strings.ToUpper(r.Decision) + "\n")
	if r.Refused != "" {
		line("", r.Refused)
		return b.String()
	}
	line("baseline  ", r.Baseline.describe())
	line("new       ", r.New.describe())
	if r.Paired {
		line("", "The runs were made in turn and are compared pair by pair.")
	}
	for _, text := range r.Warnings {
		line("WARNING: ", text)
	}
	b.WriteString("\n" + r.table(printable) + "\n")
	for i := range r.Verdicts {
		if v := &r.Verdicts[i]; v.Decision != Pass {
			line(strings.ToUpper(v.Decision)+": ", v.Reason)
		}
	}
	for i := range r.Unmatched {
		line("UNDECIDED: ", r.sentence(&r.Unmatched[i]))
	}
	if len(r.Changed) > 0 {
		b.WriteString("functions that changed and failed no limit\n")
	}
	for i := range r.Changed {
		line("  ", r.Changed[i].change())
	}
	line("", r.claim())
	for _, text := range r.Notes {
		line("note: ", text)
	}
	return b.String()
}

// heads are the columns of a verdict; the last one, what it is about, is as long as it likes.
func (r *Report) heads() []string {
	return []string{"verdict", "limit", "old", "new", "change", share(r.Confidence) + " interval", "noise", "of"}
}

func (v *Verdict) cells() []string {
	decision := v.Decision
	if decision == Fail {
		decision = "FAIL"
	}
	noise := unknown
	if v.Noise != nil {
		noise = strings.TrimPrefix(signed(v.Noise), "+")
	}
	return []string{decision, v.Limit.String(), amount(v.Old, v.Unit), amount(v.New, v.Unit), signed(v.Change), v.interval(), noise, v.title()}
}

func (r *Report) table(printable func(string) string) string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(cells []string) {
		for i := range cells {
			cells[i] = printable(cells[i])
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	row(r.heads())
	for i := range r.Verdicts {
		row(r.Verdicts[i].cells())
	}
	t.Flush() // to a strings.Builder: it cannot fail
	return b.String()
}

// JSON writes the report as one object, indented. Characters that JSON allows and a terminal obeys are escaped.
func (r *Report) JSON(w io.Writer) error {
	var raw, out bytes.Buffer
	e := json.NewEncoder(&raw)
	e.SetEscapeHTML(false) // names like vector<int> are for people too
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	for _, c := range raw.String() {
		switch {
		case c < 0x7f || unicode.IsPrint(c):
			out.WriteRune(c)
		case c > 0xffff:
			high, low := utf16.EncodeRune(c)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, c)
		}
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}
