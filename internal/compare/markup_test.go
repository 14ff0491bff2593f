package compare

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// rawHTML is what may stand in Markdown for itself: the one element that names are in, and the comment that cuts mentions.
var rawHTML = regexp.MustCompile(`</?code>|<!-- -->`)

var (
	escaped   = regexp.MustCompile(`\\[[:punct:]]`)
	codeSpan  = regexp.MustCompile("`[^`]*`")
	delimiter = regexp.MustCompile(`^\|( :?--:? \|)+$`)
)

// markdownFaults holds tables to the rules of GitHub Flavored Markdown (spec 4.10: a blank line before, as many cells in
// each row as in the head, a delimiter row), and names to meaning nothing. It returns how many tables there are.
func markdownFaults(text string) (faults []string, tables int) {
	lines := strings.Split(text, "\n")
	fault := func(i int, what string) { faults = append(faults, fmt.Sprintf("line %d: %s: %q", i+1, what, lines[i])) }
	cells := 0
	for i, line := range lines {
		bare := codeSpan.ReplaceAllString(escaped.ReplaceAllString(line, ""), "")
		rest := strings.TrimPrefix(rawHTML.ReplaceAllString(bare, ""), ">")
		if strings.ContainsAny(rest, "<>`\\") || strings.Count(bare, "@") != strings.Count(bare, "@<!-- -->") {
			fault(i, "something means something in Markdown")
		}
		if !strings.HasPrefix(line, "|") {
			cells = 0
			continue
		}
		n := strings.Count(line, "|")
		if cells == 0 {
			tables++
			cells = n
			if lines[i-1] != "" || !delimiter.MatchString(lines[i+1]) {
				fault(i, "a table begins after a blank line, and with a delimiter row")
			}
		}
		if n != cells || !strings.HasSuffix(line, " |") {
			fault(i, fmt.Sprintf("%d cells, not %d", n-1, cells-1))
		}
	}
	return faults, tables
}

func TestMarkdownRules(t *testing.T) {
	for name, r := range cases() {
		faults, tables := markdownFaults(written(t, formats(0, 0)["md"], r))
		for _, fault := range faults {
			t.Errorf("%s, %s", name, fault)
		}
		if name == "ten" && tables != 8 {
			t.Errorf("%s: %d tables, want 8", name, tables)
		}
	}
}

// TestMarkdownCode: names come out as they went in.
func TestMarkdownCode(t *testing.T) {
	m := Markdown{Printable: printable}
	for _, name := range []string{"plain", "operator|", "a`b", `a\|b`, "x<y>&z", " blank ", "", "@me", "&#124;", hostile} {
		got := m.code(name)
		var shown string
		if text, ok := strings.CutPrefix(got, "<code>"); ok {
			shown = html.UnescapeString(strings.TrimSuffix(text, "</code>"))
		} else {
			shown = strings.Trim(got, "`")
		}
		if shown != printable(name) {
			t.Errorf("%q shows %q, by %s", name, shown, got)
		}
		if strings.Contains(got, "|") {
			t.Errorf("%q ends its cell: %s", name, got)
		}
	}
}

// pageFaults wants a page that is well-formed and needs nothing from elsewhere, and returns the text that it shows.
func pageFaults(text string) (faults []string, shown string) {
	var b strings.Builder
	d := xml.NewDecoder(strings.NewReader(text))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	open := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return append(faults, err.Error()), ""
		}
		switch token := token.(type) {
		case xml.StartElement:
			open++
			if strings.Contains(" script link img iframe object embed base form svg a ", " "+token.Name.Local+" ") {
				faults = append(faults, "an element "+token.Name.Local)
			}
			for _, a := range token.Attr {
				if strings.Contains(" src href srcset action ", " "+a.Name.Local+" ") || strings.HasPrefix(a.Name.Local, "on") || strings.Contains(a.Value, "ZgotmplZ") {
					faults = append(faults, "an attribute "+a.Name.Local+"="+a.Value)
				}
			}
		case xml.EndElement:
			open--
		case xml.CharData:
			b.Write(token)
		}
	}
	if open != 0 {
		faults = append(faults, fmt.Sprintf("%d elements are left open", open))
	}
	if style, _, _ := strings.Cut(text, "<body>"); strings.Contains(style, "url(") || strings.Contains(style, "@import") {
		faults = append(faults, "a style from elsewhere")
	}
	return faults, b.String()
}

func TestPage(t *testing.T) {
	for name, r := range cases() {
		faults, shown := pageFaults(written(t, formats(0, 0)["html"], r))
		for _, fault := range faults {
			t.Errorf("%s: %s", name, fault)
		}
		if n := strings.Count(shown, printable(hostile)); name == "hostile" && n != 9 {
			t.Errorf("the hostile name is shown %d times, want 9", n)
		}
	}
}

// FuzzNames: whatever functions, libraries, commands and files are called, every format has the lines, the cells and the
// elements that it has for harmless names, and names can be read from it.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"plain", hostile, "a\nb", "\xff\x00", "| --- |", "```", "&amp;|", "</td></table>", " ", "\u2028\u202e", "1. x", "\\|"} {
		f.Add(name)
	}
	lines := func(text string) int { return strings.Count(text, "\n") }
	f.Fuzz(func(t *testing.T, name string) {
		r, plain := named(name), named("plain")
		md := written(t, formats(0, 0)["md"], r)
		if faults, _ := markdownFaults(md); len(faults) > 0 {
			t.Errorf("Markdown: %v", faults)
		}
		page := written(t, formats(0, 0)["html"], r)
		faults, shown := pageFaults(page)
		if len(faults) > 0 || !strings.Contains(shown, printable(name)) {
			t.Errorf("page: %v, without %q", faults, printable(name))
		}
		text := written(t, formats(0, 0)["txt"], r)
		if !strings.Contains(text, printable(name)) {
			t.Errorf("no %q in\n%s", printable(name), text)
		}
		for ext, got := range map[string]string{"txt": text, "md": md, "html": page} {
			if want := lines(written(t, formats(0, 0)[ext], plain)); lines(got) != want {
				t.Errorf("%s: %d lines, want %d", ext, lines(got), want)
			}
			for _, c := range got {
				if c != '\n' && !unicode.IsPrint(c) {
					t.Errorf("%s: a terminal obeys %q", ext, c)
				}
			}
		}
		var back Result
		if err := json.Unmarshal([]byte(written(t, formats(0, 0)["json"], r)), &back); err != nil {
			t.Fatal(err)
		}
		if want := strings.ToValidUTF8(name, "\ufffd"); utf8.ValidString(name) && back.Changed[0].Name != want {
			t.Errorf("JSON has %q, want %q", back.Changed[0].Name, want)
		}
	})
}

// named is a result in which everything has one name.
func named(name string) *Result {
	r := cases()["ten"]
	r.Old.Name, r.Old.Command, r.Old.Source.Name = name, []string{name}, name
	r.Changed[0].Name, r.Changed[1].Library = name, name
	r.Others[0].Name, r.Added[0].Name, r.Removed[0].Library = name, name, name
	r.Renamed = []Renaming{{Old: r.Removed[0], New: r.Added[0]}}
	r.Differences = []Difference{{Kind: "machine", What: "CPU", Old: name, New: "other", Text: name}}
	r.Notes = []string{name}
	return r
}
