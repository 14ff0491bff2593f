package compare

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"
)

// HTML writes a result as one page that needs nothing else: no script, no font, no
// picture, and a policy that keeps the browser from fetching any.
type HTML struct {
	Rows int // of each list, at most; 0: all
	// Printable makes of a name, which may hold anything, one line of printable characters.
	Printable func(string) string
}

//go:embed page.html
var pageSource string

var page = template.Must(template.New("page").Parse(pageSource))

// pageView is what the page shows: words, all of which the template escapes.
type pageView struct {
	Sides       [2]string
	Differences []string
	Heads       []string
	Totals      [][]pageCell
	Reason      string
	Claim       []string
	ChangedHead string
	Changed     []pageFunction
	Lists       []pageList
	Notes       []string
}

type pageCell struct {
	Text  string
	Class string // of the style sheet
}

type pageFunction struct {
	Name, Reason string
	Bar          *pageBar
	Rows         [][]pageCell
}

// pageBar draws a change of energy (without: of time) beside the largest one, in percent of half the width.
type pageBar struct {
	Left, Width string
	Class       string
}

// pageList is a table with names in its last columns.
type pageList struct {
	Head    string
	Columns []string
	Names   int // columns that are names
	Rows    [][]pageCell
	More    string
}

// Write writes the page.
func (h HTML) Write(w io.Writer, r *Result) error {
	kept := *r
	rest := kept.Keep(h.Rows)
	sides := r.sides()
	v := pageView{Sides: [2]string{h.Printable(sides[0]), h.Printable(sides[1])}, Heads: r.heads(), Totals: changeRows(r.Totals), ChangedHead: sentence(changedHead)}
	for _, d := range r.Differences {
		v.Differences = append(v.Differences, h.Printable(d.line()))
	}
	if r.Because != "" {
		v.Reason = r.reason()
	}
	for _, text := range []string{r.claim(), r.small()} {
		if text != "" {
			v.Claim = append(v.Claim, text)
		}
	}
	if len(r.Changed) == 0 {
		v.ChangedHead = ""
		if r.Tests > 0 {
			v.ChangedHead = sentence(nothingChanged)
		}
	}
	largest := largestDifference(kept.Changed)
	for i := range kept.Changed {
		f := &kept.Changed[i]
		v.Changed = append(v.Changed, pageFunction{Name: h.Printable(title(f.Name, f.Library)), Reason: f.reason(), Bar: bar(f, largest), Rows: changeRows(f.Quantities)})
	}
	if rest.changed > 0 {
		v.Changed = append(v.Changed, pageFunction{Name: more(rest.changed)})
	}
	h.lists(&v, &kept, rest)
	for _, note := range r.Notes {
		v.Notes = append(v.Notes, h.Printable(note))
	}
	if err := page.Execute(w, v); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

// lists are the tables of functions of which nothing is claimed.
func (h HTML) lists(v *pageView, r *Result, rest rest) {
	add := func(l pageList, left int) {
		if len(l.Rows) == 0 {
			return
		}
		if left > 0 {
			l.More = more(left)
		}
		v.Lists = append(v.Lists, l)
	}
	row := func(cells []string, names ...string) []pageCell {
		var out []pageCell
		for _, c := range cells {
			out = append(out, pageCell{c, "n"})
		}
		for _, n := range names {
			out = append(out, pageCell{h.Printable(n), "f"})
		}
		return out
	}
	others := pageList{Names: 1}
	for i := range r.Others {
		if i == 0 {
			others.Head, others.Columns = sentence(r.othersHead()), append(r.otherHeads(), "function")
		}
		f := &r.Others[i]
		others.Rows = append(others.Rows, row(f.otherCells(), title(f.Name, f.Library)))
	}
	add(others, rest.others)
	for _, single := range []struct {
		head string
		all  []Single
		left int
	}{{addedHead, r.Added, rest.added}, {removedHead, r.Removed, rest.removed}} {
		l := pageList{Head: sentence(single.head), Columns: []string{"per run", "function"}, Names: 1}
		for i := range single.all {
			l.Rows = append(l.Rows, row([]string{single.all[i].amounts()}, title(single.all[i].Name, single.all[i].Library)))
		}
		add(l, single.left)
	}
	renamed := pageList{Head: sentence(renamedHead), Columns: []string{"old", "new", "old function", "new function"}, Names: 2}
	for i := range r.Renamed {
		p := &r.Renamed[i]
		renamed.Rows = append(renamed.Rows, row([]string{p.Old.amounts(), p.New.amounts()}, title(p.Old.Name, p.Old.Library), title(p.New.Name, p.New.Library)))
	}
	add(renamed, rest.renamed)
}

// changeRows are rows under Result.heads.
func changeRows(changes []Change) [][]pageCell {
	var rows [][]pageCell
	for i := range changes {
		var row []pageCell
		for k, text := range changes[i].cells() {
			cell := pageCell{Text: text, Class: "n"}
			switch {
			case k == 0:
				cell.Class = "q"
			case k == columnSignificant && changes[i].Significant:
				cell.Class = "n yes"
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	return rows
}

// largestDifference is that of the first quantities of functions.
func largestDifference(all []Function) float64 {
	largest := 0.0
	for i := range all {
		if q := all[i].Quantities; len(q) > 0 && q[0].Difference != nil {
			largest = max(largest, math.Abs(*q[0].Difference))
		}
	}
	return largest
}

// bar goes from the middle to the right for more, to the left for less.
func bar(f *Function, largest float64) *pageBar {
	if largest == 0 || len(f.Quantities) == 0 || f.Quantities[0].Difference == nil {
		return nil
	}
	d := *f.Quantities[0].Difference
	half := 50 * math.Abs(d) / largest
	if d < 0 {
		return &pageBar{Left: fmt.Sprintf("%.1f%%", 50-half), Width: fmt.Sprintf("%.1f%%", half), Class: "less"}
	}
	return &pageBar{Left: "50%", Width: fmt.Sprintf("%.1f%%", half), Class: "more"}
}

func more(n int) string { return fmt.Sprintf("(%d more)", n) }

// IsName tells whether a column is one of names.
func (l pageList) IsName(column int) bool { return column >= len(l.Columns)-l.Names }

// Title is that of the page.
func (v pageView) Title() string {
	name := func(side string) string { n, _, _ := strings.Cut(side, ": "); return n }
	return "energyprof diff " + name(v.Sides[0]) + " " + name(v.Sides[1])
}
