package compare

import (
	"fmt"
	"io"
	"strings"

	"github.com/energyprof/energyprof/internal/tabular"
)

// Text writes a result for people.
type Text struct {
	Rows  int // of each list, at most; 0: all
	Width int // of the terminal in characters; 0: any
	// Printable makes of a name, which may hold anything, what no terminal obeys.
	Printable func(string) string
}

// Write writes what is compared, the totals, what changed, and the rest, which is no claim.
func (t Text) Write(w io.Writer, r *Result) error {
	kept := *r
	rest := kept.Keep(t.Rows)
	var b strings.Builder
	sides := r.sides()
	t.paragraph(&b, "old  "+sides[0], "     ")
	t.paragraph(&b, "new  "+sides[1], "     ")
	for _, d := range r.Differences {
		t.paragraph(&b, d.line(), "  ")
	}
	b.WriteString("\n")
	t.changes(&b, &kept, rest.changed)
	t.paragraph(&b, r.claim(), "")
	if text := r.detectables(); text != "" {
		t.paragraph(&b, text, "  ")
	}
	if text := r.small(); text != "" {
		t.paragraph(&b, text, "  ")
	}
	if len(kept.Others) > 0 {
		b.WriteString("\n" + r.othersHead() + "\n")
		t.others(&b, &kept, rest.others)
	}
	t.singles(&b, addedHead, kept.Added, rest.added)
	t.singles(&b, removedHead, kept.Removed, rest.removed)
	if len(kept.Renamed) > 0 {
		b.WriteString("\n" + renamedHead + "\n")
		t.renamed(&b, &kept, rest.renamed)
	}
	for i, note := range r.Notes {
		if i == 0 {
			b.WriteString("\n")
		}
		t.paragraph(&b, "note: "+note, "  ")
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

func (t Text) paragraph(b *strings.Builder, text, indent string) {
	b.WriteString(wrap(t.Printable(text), t.Width, indent) + "\n")
}

// changes has the totals and the functions that changed, which are the same kind of rows.
func (t Text) changes(b *strings.Builder, r *Result, more int) {
	heads := r.heads()
	out := tabular.Table{Columns: make([]tabular.Column, len(heads)-1)}
	for i := range out.Columns {
		out.Columns[i] = tabular.Column{Head: heads[i], Left: i == 0}
	}
	out.Columns[columnSignificant].Left = true
	add := func(changes []Change) {
		for i := range changes {
			out.Rows = append(out.Rows, changes[i].cells()[:len(out.Columns)])
		}
	}
	add(r.Totals)
	if r.Because != "" {
		out.Rows = append(out.Rows, []string{wrap("energy: "+r.reason(), t.Width, "  ")})
	}
	if len(r.Changed) > 0 {
		out.Rows = append(out.Rows, []string{""}, []string{changedHead})
	}
	for i := range r.Changed {
		f := &r.Changed[i]
		name, reason := t.Printable(title(f.Name, f.Library)), f.reason()
		if reason != "" {
			reason = ": " + reason
		}
		if t.Width > 0 {
			name = tabular.Shorten(name, max(t.Width-len(reason), tabular.MinName))
		}
		out.Rows = append(out.Rows, []string{wrap(name+reason, t.Width, "  ")})
		add(f.Quantities)
	}
	if more > 0 {
		out.Rows = append(out.Rows, []string{fmt.Sprintf("(%d more that changed)", more)})
	}
	if len(out.Rows) > 0 {
		out.Write(b, t.Width)
		b.WriteString("\n")
	}
	if len(r.Changed) == 0 && r.Tests > 0 {
		b.WriteString(nothingChanged + "\n")
	}
}

// detectables says which changes of the totals so many runs would show.
func (r *Result) detectables() string {
	var all []string
	for i := range r.Totals {
		if c := &r.Totals[i]; c.Detectable != nil {
			all = append(all, c.label()+" "+c.detectable())
		}
	}
	if len(all) == 0 {
		return ""
	}
	return "Detectable with so many runs, in 95 of 100 cases: a change of " + strings.Join(all, ", ") + "."
}

func (t Text) others(b *strings.Builder, r *Result, more int) {
	var out tabular.Table
	for _, head := range r.otherHeads() {
		out.Columns = append(out.Columns, tabular.Column{Head: head})
	}
	out.Columns = append(out.Columns, tabular.Column{Head: "function", Left: true})
	for i := range r.Others {
		f := &r.Others[i]
		out.Rows = append(out.Rows, append(f.otherCells(), t.Printable(title(f.Name, f.Library))))
	}
	leftOut(&out, more)
	out.Write(b, t.Width)
}

// singles lists functions of one side.
func (t Text) singles(b *strings.Builder, head string, all []Single, more int) {
	if len(all) == 0 {
		return
	}
	b.WriteString("\n" + head + "\n")
	out := tabular.Table{Columns: []tabular.Column{{Head: "per run"}, {Head: "function", Left: true}}}
	for i := range all {
		out.Rows = append(out.Rows, []string{all[i].amounts(), t.Printable(title(all[i].Name, all[i].Library))})
	}
	leftOut(&out, more)
	out.Write(b, t.Width)
}

func (t Text) renamed(b *strings.Builder, r *Result, more int) {
	out := tabular.Table{Columns: []tabular.Column{{Head: "old"}, {Head: "new"}, {Head: "functions", Left: true}}}
	for i := range r.Renamed {
		p := &r.Renamed[i]
		out.Rows = append(out.Rows, []string{p.Old.amounts(), p.New.amounts(),
			t.Printable(title(p.Old.Name, p.Old.Library) + " -> " + title(p.New.Name, p.New.Library))})
	}
	leftOut(&out, more)
	out.Write(b, t.Width)
}

// leftOut says how many rows are left out.
func leftOut(t *tabular.Table, more int) {
	if more > 0 {
		row := make([]string, len(t.Columns))
		row[len(row)-1] = fmt.Sprintf("(%d more)", more)
		t.Rows = append(t.Rows, row)
	}
}
