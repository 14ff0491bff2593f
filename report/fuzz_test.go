package report

import (
	"bytes"
	"testing"
	"unicode"

	"github.com/google/pprof/profile"
)

// Any profile that parses can be shown, and only printable text is.
func FuzzReadTable(f *testing.F) {
	for _, r := range kinds() {
		var b bytes.Buffer
		if err := mustProfile(f, r).WriteUncompressed(&b); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := profile.ParseUncompressed(data)
		if err != nil || p.CheckValid() != nil {
			return
		}
		tab := ReadTable(p)
		for _, key := range SortKeys {
			if err := tab.Sort(key); err != nil && len(tab.Missing) == 0 {
				t.Errorf("sort by %s of a table that lacks nothing: %v", key, err)
			}
		}
		var text, js bytes.Buffer
		if err := tab.Text(&text, 7, 60); err != nil {
			t.Fatal(err)
		}
		if err := tab.JSON(&js, 0); err != nil {
			t.Fatal(err)
		}
		for _, r := range text.String() + js.String() {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("%U is printed in\n%s%s", r, text.String(), js.String())
			}
		}
	})
}
