package compare

import (
	"encoding/xml"
	"errors"
	"html"
	"io"
	"regexp"
	"strings"
	"testing"
)

// rawHTML is what may stand in Markdown for itself: the one element that names are in, and the comment that cuts mentions.
var rawHTML = regexp.MustCompile(`</?code>|<!-- -->`)

// TestMarkdownRules holds the tables to the rules of GitHub Flavored Markdown (spec 4.10: a blank line before, as many
// cells in each row as in the head, a delimiter row), and names to meaning nothing.
func TestMarkdownRules(t *testing.T) {
	for name, r := range cases() {
		lines := strings.Split(written(t, formats(0, 0)["md"], r), "\n")
		tables, cells := 0, 0
		for i, line := range lines {
			bare := regexp.MustCompile(`\\[[:punct:]]`).ReplaceAllString(line, "")
			bare = regexp.MustCompile("`[^`]*`").ReplaceAllString(bare, "")
			if rest := rawHTML.ReplaceAllString(bare, ""); strings.ContainsAny(strings.TrimPrefix(rest, ">"), "<>`\\") || strings.Contains(rest, "@") && !strings.Contains(bare, "@<!-- -->") {
				t.Errorf("%s, line %d: what means something in Markdown is left: %s", name, i+1, line)
			}
			if !strings.HasPrefix(line, "|") {
				cells = 0
				continue
			}
			if strings.Contains(strings.ReplaceAll(line, " | ", ""), "\\|") || !strings.HasSuffix(line, " |") {
				t.Errorf("%s, line %d: no plain row: %s", name, i+1, line)
			}
			n := strings.Count(line, "|")
			if cells == 0 {
				tables++
				cells = n
				if lines[i-1] != "" || !regexp.MustCompile(`^\|( :?--:? \|)+$`).MatchString(lines[i+1]) {
					t.Errorf("%s, line %d: a table begins after a blank line and with a delimiter row:\n%s\n%s\n%s", name, i+1, lines[i-1], line, lines[i+1])
				}
			}
			if n != cells {
				t.Errorf("%s, line %d: %d cells, want %d: %s", name, i+1, n-1, cells-1, line)
			}
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

// TestPage: the page is well-formed, needs nothing from elsewhere, and shows names for what they are.
func TestPage(t *testing.T) {
	for name, r := range cases() {
		text := written(t, formats(0, 0)["html"], r)
		var shown strings.Builder
		d := xml.NewDecoder(strings.NewReader(text))
		d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
		open := 0
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			switch token := token.(type) {
			case xml.StartElement:
				open++
				if strings.Contains(" script link img iframe object embed base form svg a ", " "+token.Name.Local+" ") {
					t.Errorf("%s has a <%s>", name, token.Name.Local)
				}
				for _, a := range token.Attr {
					if strings.Contains(" src href srcset action ", " "+a.Name.Local+" ") || strings.HasPrefix(a.Name.Local, "on") || strings.Contains(a.Value, "ZgotmplZ") {
						t.Errorf("%s has an attribute %s=%q", name, a.Name.Local, a.Value)
					}
				}
			case xml.EndElement:
				open--
			case xml.CharData:
				shown.Write(token)
			}
		}
		if open != 0 {
			t.Errorf("%s: %d elements are left open", name, open)
		}
		if strings.Contains(text, "url(") || strings.Contains(text, "@import") || strings.Contains(text, "//") {
			t.Errorf("%s names something elsewhere", name)
		}
		if name == "hostile" && strings.Count(shown.String(), printable(hostile)) != 9 {
			t.Errorf("the hostile name is shown %d times, want 9", strings.Count(shown.String(), printable(hostile)))
		}
	}
}
