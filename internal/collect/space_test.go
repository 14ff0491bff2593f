package collect

import (
	"testing"

	"pgregory.net/rapid"
)

// Mappings and forks in any order give what a table of pages gives.
func TestSpaceIsATableOfPages(t *testing.T) {
	const pages = 40
	type page struct {
		file   string
		offset uint64
	}
	files := []string{"/a", "/b", ""}
	rapid.Check(t, func(t *rapid.T) {
		spaces := []*space{{}}
		models := [][pages]page{{}}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			k := rapid.IntRange(0, len(spaces)-1).Draw(t, "space")
			if len(spaces) < 4 && rapid.IntRange(0, 9).Draw(t, "fork") == 0 {
				spaces = append(spaces, spaces[k].fork())
				models = append(models, models[k])
				continue
			}
			start := rapid.Uint64Range(0, pages-1).Draw(t, "start")
			limit := rapid.Uint64Range(start+1, pages).Draw(t, "limit")
			// Few offsets, so that a piece often continues or repeats what is there.
			offset := start + rapid.SampledFrom([]uint64{0, 0, 100}).Draw(t, "shift")
			file := rapid.SampledFrom(files).Draw(t, "file")
			m := &mapping{start: start << 12, limit: limit << 12, offset: offset << 12, image: intern(image{file: file})}
			spaces[k].insert(m)
			for p := start; p < limit; p++ {
				models[k][p] = page{m.image.Value().file, offset + p - start}
			}
		}
		for k, s := range spaces {
			for p := range uint64(pages) {
				m := s.find(p<<12 + 0xfff)
				var got page
				if m != nil {
					got = page{m.image.Value().file, (p<<12 - m.start + m.offset) >> 12}
				}
				want := models[k][p]
				if want.file == anonymous {
					got.offset = want.offset // means nothing without a file
				}
				if got != want {
					t.Fatalf("space %d, page %d is %+v, want %+v", k, p, got, want)
				}
			}
			for i := 1; i < len(s.mappings); i++ {
				if s.mappings[i-1].limit > s.mappings[i].start {
					t.Fatalf("space %d: mappings %d and %d overlap", k, i-1, i)
				}
			}
		}
	})
}
