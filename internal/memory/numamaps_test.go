package memory

import (
	"strings"
	"testing"
)

func TestBadMaps(t *testing.T) {
	for text, want := range map[string]string{
		"7f00\n":                               `line 1: "7f00" has no policy`,
		"1000 default\nxyz default\n":          `line 2: "xyz" is no address`,
		"1000 default N0=x\n":                  `line 1: "N0=x" is no number of pages`,
		"1000 default N1024=1\n":               "line 1: node 1024 is beyond the largest, 1023",
		"2000 default\n1000 default\n":         "line 2: 1000 is not behind the mapping before it",
		"10000000000000000 default\n":          "is no address",
		"1000 default N0=99999999999999999999": "is no number of pages",
	} {
		if _, err := parseNumaMaps(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
	for _, text := range []string{"1000 r--p\n", "2000-1000 r--p\n", "-\n", "\n"} {
		if _, err := parseLimits(text); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%q: error %v, want one that names the line", text, err)
		}
	}
}

// FuzzNumaMaps: mappings of any text lie in order, end behind their start, and are found at their own addresses alone.
func FuzzNumaMaps(f *testing.F) {
	f.Add("1000 default anon=1 N0=1 kernelpagesize_kB=4\n", "1000-2000 rw-p 00000000 00:00 0\n")
	f.Fuzz(func(t *testing.T, numa, maps string) {
		all, err := parseNumaMaps(numa)
		if err != nil {
			return
		}
		for _, m := range all {
			if m.node < unknownNode || m.node > maxNode || m.several && m.node != unknownNode {
				t.Errorf("%q: a mapping on node %d, on several: %t", numa, m.node, m.several)
			}
		}
		limits, err := parseLimits(maps)
		if err != nil {
			return
		}
		end := uint64(0)
		kept := bound(all, limits)
		for _, m := range kept {
			if m.start >= m.limit || m.start < end {
				t.Errorf("%q and %q: a mapping at %#x-%#x behind one that ends at %#x", numa, maps, m.start, m.limit, end)
			}
			end = m.limit
		}
		for _, m := range kept {
			if found := find(kept, m.start); found == nil || found.start != m.start {
				t.Errorf("%q and %q: the mapping at %#x is not found", numa, maps, m.start)
			}
		}
	})
}
