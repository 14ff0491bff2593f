package compare

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Markdown writes a result as GitHub renders it: headings, paragraphs and tables of the
// GitHub Flavored Markdown spec.
type Markdown struct {
	Rows int // of each list, at most; 0: all
	// Printable makes of a name, which may hold anything, one line of printable characters.
	Printable func(string) string
}

// Write writes what is compared, the totals, what changed, and the rest, which is no claim.
func (m Markdown) Write(w io.Writer, r *Result) error {
	kept := *r
	rest := kept.Keep(m.Rows)
	var b strings.Builder
	sides := r.sides()
	fmt.Fprintf(&b, "## Energy and time: old and new\n\n- old: %s\n- new: %s\n", m.text(sides[0]), m.text(sides[1]))
	for _, d := range r.Differences {
		fmt.Fprintf(&b, "- **%s**\n", m.text(d.line()))
	}
	b.WriteString("\n")
	m.changes(&b, kept.Totals, &kept)
	if r.Because != "" {
		fmt.Fprintf(&b, "Energy: **%s**.\n\n", m.text(r.reason()))
	}
	for _, text := range []string{r.claim(), r.small()} {
		if text != "" {
			b.WriteString(m.text(text) + "\n\n")
		}
	}
	if len(kept.Changed) == 0 && r.Tests > 0 {
		b.WriteString("**" + sentence(nothingChanged) + ".**\n\n")
	}
	if len(kept.Changed) > 0 {
		b.WriteString("### " + sentence(changedHead) + "\n\n")
	}
	for i := range kept.Changed {
		f := &kept.Changed[i]
		b.WriteString(m.code(title(f.Name, f.Library)))
		if reason := f.reason(); reason != "" {
			fmt.Fprintf(&b, ": **%s**", m.text(reason))
		}
		b.WriteString("\n\n")
		m.changes(&b, f.Quantities, &kept)
	}
	m.more(&b, rest.changed)
	if len(kept.Others) > 0 {
		m.head(&b, kept.othersHead(), append(kept.otherHeads(), "function"))
		for i := range kept.Others {
			f := &kept.Others[i]
			m.row(&b, f.otherCells(), m.code(title(f.Name, f.Library)))
		}
		b.WriteString("\n")
		m.more(&b, rest.others)
	}
	m.singles(&b, addedHead, kept.Added, rest.added)
	m.singles(&b, removedHead, kept.Removed, rest.removed)
	if len(kept.Renamed) > 0 {
		m.head(&b, renamedHead, []string{"old", "new", "old function", "new function"})
		for i := range kept.Renamed {
			p := &kept.Renamed[i]
			m.row(&b, []string{p.Old.amounts(), p.New.amounts()}, m.code(title(p.Old.Name, p.Old.Library)), m.code(title(p.New.Name, p.New.Library)))
		}
		b.WriteString("\n")
		m.more(&b, rest.renamed)
	}
	for i, note := range r.Notes {
		if i > 0 {
			b.WriteString(">\n")
		}
		b.WriteString("> " + m.text(note) + "\n")
	}
	if _, err := io.WriteString(w, strings.TrimRight(b.String(), "\n")+"\n"); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

// changes is a table of quantities.
func (m Markdown) changes(b *strings.Builder, changes []Change, r *Result) {
	if len(changes) == 0 {
		return
	}
	heads := r.heads()
	m.cells(b, heads[1:], heads[0])
	m.rule(b, len(heads))
	for i := range changes {
		cells := changes[i].cells()
		for k := range cells {
			cells[k] = m.text(cells[k])
		}
		if changes[i].Significant {
			cells[columnSignificant] = "**" + cells[columnSignificant] + "**"
		}
		m.cells(b, cells[1:], cells[0])
	}
	b.WriteString("\n")
}

func (m Markdown) singles(b *strings.Builder, head string, all []Single, more int) {
	if len(all) == 0 {
		return
	}
	m.head(b, head, []string{"per run", "function"})
	for i := range all {
		m.row(b, []string{all[i].amounts()}, m.code(title(all[i].Name, all[i].Library)))
	}
	b.WriteString("\n")
	m.more(b, more)
}

// head begins a section of one table, whose last columns are names.
func (m Markdown) head(b *strings.Builder, head string, columns []string) {
	b.WriteString("### " + sentence(head) + "\n\n")
	b.WriteString("| " + strings.Join(columns, " | ") + " |\n|")
	for _, c := range columns {
		if strings.Contains(c, "function") {
			b.WriteString(" :-- |")
		} else {
			b.WriteString(" --: |")
		}
	}
	b.WriteString("\n")
}

func (m Markdown) row(b *strings.Builder, cells []string, names ...string) {
	b.WriteString("| " + strings.Join(append(cells, names...), " | ") + " |\n")
}

// cells is a line of a table of quantities: the name first.
func (m Markdown) cells(b *strings.Builder, cells []string, name string) {
	m.row(b, []string{name}, cells...)
}

// rule is the line below the head of a table of quantities.
func (m Markdown) rule(b *strings.Builder, columns int) {
	b.WriteString("| :-- |" + strings.Repeat(" --: |", columns-1) + "\n")
}

func (m Markdown) more(b *strings.Builder, more int) {
	if more > 0 {
		fmt.Fprintf(b, "(%d more)\n\n", more)
	}
}

// text makes text of foreign origin mean nothing in Markdown: all ASCII punctuation may be escaped with a backslash (GFM
// spec, 2.4), and what GitHub alone gives a meaning to, mentions and references, is cut by an empty comment.
func (m Markdown) text(s string) string {
	var b strings.Builder
	for _, c := range m.Printable(s) {
		switch {
		case strings.ContainsRune("\\`*_{}[]<>|~!$", c):
			b.WriteByte('\\')
			b.WriteRune(c)
		case strings.ContainsRune("@#", c):
			b.WriteString(string(c) + "<!-- -->")
		case c == '&':
			b.WriteString("&amp;")
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// code is a name in a code span. In one, nothing can be escaped, and in a table a pipe ends the cell even there (GFM spec,
// 4.10): names with such characters are in HTML, where they have numbers, and so have all that mean something outside of code.
func (m Markdown) code(name string) string {
	name = m.Printable(name)
	if name != "" && !strings.ContainsAny(name, "|`\\") && strings.TrimSpace(name) == name {
		return "`" + name + "`"
	}
	var b strings.Builder
	b.WriteString("<code>")
	for _, c := range name {
		if c < unicode.MaxASCII && (unicode.IsPunct(c) || unicode.IsSymbol(c)) {
			fmt.Fprintf(&b, "&#%d;", c)
		} else {
			b.WriteRune(c)
		}
	}
	return b.String() + "</code>"
}

// sentence begins with a capital letter.
func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
