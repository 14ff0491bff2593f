package unwind

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"sort"
)

// open finds out how entries are found, at first use.
func (f *frames) open() (err error) {
	if f.opened {
		return nil
	}
	f.opened = true
	if f.hdr == nil || !f.hdr.open() {
		f.hdr = nil
		f.index, err = f.scan()
	}
	return err
}

// find gives the entries of functions that may have code from start to below limit, in order of address.
func (f *frames) find(start, limit uint64) iter.Seq[located] {
	if f.hdr != nil {
		return f.searched(start, limit)
	}
	return func(yield func(located) bool) {
		i := sort.Search(len(f.index), func(i int) bool { return f.index[i].start >= start })
		for i = max(0, i-backwards); i < len(f.index) && f.index[i].start < limit && yield(f.index[i]); i++ {
		}
	}
}

// searched is find by the search table. At most maxChunkEntries are found.
func (f *frames) searched(start, limit uint64) iter.Seq[located] {
	return func(yield func(located) bool) {
		t := f.hdr
		w := t.section.open(maxChunkWork)
		defer func() {
			f.err = w.err
			w.close()
		}()
		lo, hi := uint64(0), t.n
		for lo < hi {
			mid := lo + (hi-lo)/2
			if at, _ := t.pair(w, mid); at < start {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		lo -= min(lo, backwards)
		for i := lo; i < min(t.n, lo+maxChunkEntries); i++ {
			at, entry := t.pair(w, i)
			if at >= limit || w.err != nil || !yield(located{at, entry - f.section.Addr}) {
				return
			}
		}
	}
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

// sorted puts functions in order of address, those at one address in that of the section.
func sorted(list []located) []located {
	slices.SortFunc(list, func(a, b located) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.entry, b.entry))
	})
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
