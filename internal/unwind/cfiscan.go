package unwind

import (
	"fmt"
	"sort"
)

// find returns the entries of functions that may have code from start to below limit, in order of address, through next,
// which is false after the last one.
func (f *frames) find(start, limit uint64) (next func() (located, bool), err error) {
	if !f.opened {
		f.opened = true
		if f.hdr == nil || !f.hdr.open() {
			f.hdr = nil
			f.index, err = f.scan()
		}
	}
	if f.hdr != nil {
		return f.hdr.find(f.section, start, limit), err
	}
	i := sort.Search(len(f.index), func(i int) bool { return f.index[i].start >= start })
	i = max(0, i-backwards) - 1
	return func() (located, bool) {
		if i++; i >= len(f.index) || f.index[i].start >= limit {
			return located{}, false
		}
		return f.index[i], true
	}, err
}

// scan reads all entries of the section.
func (f *frames) scan() (out []located, err error) {
	w := f.section.open(maxScan)
	defer w.close()
	if f.section.Size > maxScan {
		err = fmt.Errorf("%s: %w: %d bytes without a search table", f.name, errWork, f.section.Size)
	}
	for off := uint64(0); off < min(f.section.Size, maxScan) && len(out) < maxScanned && w.err == nil; {
		e, err := f.entry(w, off)
		if err != nil {
			return sorted(out), err
		}
		if e.limit == 0 {
			if f.eh || w.err != nil {
				break
			}
			off += 4 // padding
			continue
		}
		off = e.limit
		if e.cie {
			continue
		}
		d, err2 := f.function(w, e)
		if err2 != nil {
			continue // told if it is asked for
		}
		// Functions that the linker dropped are at 0 in .debug_frame.
		if d.limit > d.start && f.image.isCode(d.start) {
			out = append(out, located{d.start, e.off})
		}
	}
	if err == nil {
		err = w.err
	}
	return sorted(out), err
}

func sorted(list []located) []located {
	sort.SliceStable(list, func(i, j int) bool { return list[i].start < list[j].start })
	return list
}

// isCode says whether an address is in the image's code, as far as it tells.
func (img *Image) isCode(addr uint64) bool {
	for _, r := range img.Text {
		if r.Start <= addr && addr < r.Limit {
			return true
		}
	}
	return len(img.Text) == 0
}
