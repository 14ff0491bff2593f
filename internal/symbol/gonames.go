package symbol

import (
	"strings"

	"github.com/energyprof/energyprof/internal/gopclntab"
)

// goFrames names what the program's own table of Go functions knows at vaddr, the
// innermost first. It has everything that debug information would tell, in a
// hundredth of the reading, and is there in stripped programs; code of C that is linked
// in is not in it (nil), nor is that of another file.
func (b *Binary) goFrames(vaddr uint64) []Frame {
	if b.golang == nil {
		return nil
	}
	var known []gopclntab.Frame
	err := guard(func() (err error) {
		known, err = b.golang.Frames(vaddr)
		return err
	})
	if err != nil && !b.goFault { // one tells that the table is damaged
		b.goFault = true
		b.note(err)
	}
	frames := make([]Frame, 0, len(known))
	for _, f := range known {
		// As in symbol tables, where the linker does this.
		name := printable(strings.ReplaceAll(f.Function, "·", "."))
		frames = append(frames, Frame{
			Function:   readable(name, b.lim.NameBytes),
			SystemName: name,
			File:       printable(f.File),
			Line:       f.Line,
			StartLine:  f.StartLine,
		})
	}
	return frames
}

// loadGo opens the table, once. Without one, names come from symbols as in any binary.
func (b *Binary) loadGo() {
	table, err := b.GoTable()
	b.golang = table
	b.note(err)
}
