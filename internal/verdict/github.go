package verdict

import (
	"fmt"
	"io"
	"strings"
)

// maxAnnotations is how many errors, and how many warnings, GitHub shows of a step.
const maxAnnotations = 10

// Annotations writes the workflow commands of GitHub Actions that put what did not pass beside a run: an error for each
// limit that is exceeded, a warning for each that is undecided and for what makes the result worth less.
func (r *Report) Annotations(w io.Writer, printable func(string) string) error {
	var errors, warnings []string
	if r.Refused != "" {
		errors = append(errors, r.Refused)
	}
	for i := range r.Verdicts {
		switch v := &r.Verdicts[i]; v.Decision {
		case Fail:
			errors = append(errors, v.Reason)
		case Undecided:
			warnings = append(warnings, "undecided: "+v.Reason)
		}
	}
	for i := range r.Unmatched {
		warnings = append(warnings, "undecided: "+r.sentence(&r.Unmatched[i]))
	}
	warnings = append(warnings, r.Warnings...)
	for _, kind := range []struct {
		command string
		all     []string
	}{{"error", errors}, {"warning", warnings}} {
		for i, text := range kind.all {
			if left := len(kind.all) - i; i == maxAnnotations-1 && left > 1 {
				text = fmt.Sprintf("%d more, all in the step's log", left)
			} else if i >= maxAnnotations {
				break
			}
			if _, err := fmt.Fprintf(w, "::%s title=%s::%s\n", kind.command, escapeProperty("energyprof check: "+r.Decision), escapeData(printable(text))); err != nil {
				return fmt.Errorf("writing annotations: %w", err)
			}
		}
	}
	return nil
}

// escapeData and escapeProperty are what the toolkit of GitHub Actions does to the message and to the properties of a
// command (actions/toolkit, packages/core/src/command.ts).
func escapeData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func escapeProperty(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(escapeData(s))
}

// maxRows bounds a step summary, of which GitHub takes 1 MiB.
const maxRows = 200

// Summary writes the report as Markdown, for the step summary of GitHub Actions or a comment.
func (r *Report) Summary(w io.Writer, printable func(string) string) error {
	text := func(s string) string { return escapeMarkdown(printable(s)) }
	var b strings.Builder
	fmt.Fprintf(&b, "### energyprof check: %s\n\n", map[string]string{Pass: "pass", Fail: "FAIL", Undecided: "undecided", Refused: "refused"}[r.Decision])
	if r.Refused != "" {
		b.WriteString(text(r.Refused) + "\n\n")
	} else {
		fmt.Fprintf(&b, "- baseline: %s\n- new: %s\n", text(r.Baseline.describe()), text(r.New.describe()))
		for _, s := range r.Warnings {
			fmt.Fprintf(&b, "- **warning**: %s\n", text(s))
		}
		b.WriteString("\n")
		r.markdownTable(&b, text)
		list := 0
		item := func(prefix, s string) {
			if list++; list <= maxRows {
				fmt.Fprintf(&b, "- %s%s\n", prefix, text(s))
			}
		}
		for i := range r.Verdicts {
			if v := &r.Verdicts[i]; v.Decision != Pass {
				item("**"+v.Decision+"**: ", v.Reason)
			}
		}
		for i := range r.Unmatched {
			item("**undecided**: ", r.sentence(&r.Unmatched[i]))
		}
		for i := range r.Changed {
			item("changed, and failed no limit: ", r.Changed[i].change())
		}
		if list > maxRows {
			fmt.Fprintf(&b, "- %d more in the log\n", list-maxRows)
		}
		if list > 0 {
			b.WriteString("\n")
		}
		b.WriteString(text(r.claim()) + "\n\n")
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("writing the summary: %w", err)
	}
	return nil
}

func (r *Report) markdownTable(b *strings.Builder, text func(string) string) {
	heads := r.heads()
	fmt.Fprintf(b, "| %s |\n|%s\n", strings.Join(heads, " | "), strings.Repeat(" --- |", len(heads)))
	for i := range r.Verdicts {
		if i == maxRows {
			fmt.Fprintf(b, "\n%d more verdicts in the log\n", len(r.Verdicts)-maxRows)
			break
		}
		cells := r.Verdicts[i].cells()
		for i := range cells {
			cells[i] = text(cells[i])
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
	}
	b.WriteString("\n")
}

// escapeMarkdown keeps a name from being markup, HTML, a link, a mention or the end of a cell.
func escapeMarkdown(s string) string {
	var b strings.Builder
	for _, c := range s {
		switch c {
		case '&':
			b.WriteString("&amp;")
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '@':
			b.WriteString("&#64;") // no mention of a user
		case '\\', '`', '*', '_', '{', '}', '[', ']', '#', '|', '~', '!', '$':
			b.WriteByte('\\')
			b.WriteRune(c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}
