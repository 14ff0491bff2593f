package symbol

import (
	"path/filepath"
)

// splitUnit is the unit that a skeleton stands for, in a file of its own (.dwo), and that file.
type splitUnit struct {
	info *debugInfo
	unit *unit
	file *source
}

// splitWork is what it costs to open a file, of the work that is allowed; what is decompressed of it comes on top.
const splitWork = 64 << 10

// split opens the split unit of skeleton u; nil if it is none, or its file is not
// there or of another compilation. Addresses, ranges of version 4 and
// the table of files are those of the skeleton. There is a file for each source file: none stays open, and
// nothing of it is remembered.
func (d *debugInfo) split(u *unit) *splitUnit {
	if u.split == "" || d.openSplit == nil {
		return nil
	}
	path := u.split
	if !filepath.IsAbs(path) {
		path = filepath.Join(u.dir, path)
	}
	d.work -= splitWork
	info, file := d.openSplit(path)
	if info == nil {
		return nil
	}
	d.work -= info.decompressed() + info.worked()
	info.work, info.textLeft, info.names = max(d.work, 0), d.textLeft, d.names
	info.addr, info.ranges, info.line, info.lineStr = d.addr, d.ranges, d.line, d.lineStr
	for _, off := range info.units {
		own, err := info.unit(off)
		if err != nil || own.version != u.version || own.id != u.id || own.entry.dwoID != u.entry.dwoID {
			continue
		}
		own.dir = u.dir
		own.entry.low, own.entry.addrBase, own.entry.stmtList = u.entry.low, u.entry.addrBase, u.entry.stmtList
		own.entry.rangesBase = u.entry.rangesBase
		if own.version < 5 {
			own.entry.strOffsetsBase = 0
		}
		return &splitUnit{info, own, file}
	}
	file.close()
	return nil
}

// done closes the file, and takes what was examined in it from what may be for d.
func (s *splitUnit) done(d *debugInfo) {
	s.file.close()
	d.work, d.textLeft = min(d.work, s.info.work), s.info.textLeft
}

// decompressed is how many bytes of sections are in memory.
func (d *debugInfo) decompressed() int64 {
	n := 0
	for _, s := range []*debugData{d.info, d.abbrev, d.str, d.strOffsets, d.rnglists, d.line, d.lineStr, d.addr, d.ranges, d.aranges} {
		if s != nil {
			n += len(s.mem)
		}
	}
	return int64(n)
}

// openSplit opens a file of split units, as it is here or as the process has it. Nil if there is none.
func (b *Binary) openSplit(path string) (*debugInfo, *source) {
	if b.file == nil || !filepath.IsAbs(path) {
		return nil, nil
	}
	for _, root := range []string{b.search.root, b.search.theirs} {
		if root == "" {
			continue
		}
		im, src, err := b.tryBelow(root, path, func(*image, *source) bool { return true })
		if im == nil {
			continue
		}
		d, openErr := openDebugInfo(b.image, im, b.limits(), false, ".dwo")
		if d == nil || err != nil || openErr != nil || d.index() != nil {
			src.close()
			continue
		}
		return d, src
	}
	return nil, nil
}
