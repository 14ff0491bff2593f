package symbol

import (
	"debug/elf"
	"encoding/hex"

	"github.com/energyprof/energyprof/internal/cursor"
)

const (
	noteBuildID   = 3        // NT_GNU_BUILD_ID
	maxNoteBytes  = 64 << 10 // of one note segment: more is no build id
	maxBuildID    = 64       // bytes; the linkers write 8, 16 or 20
	maxNoteChunks = 64       // note segments and sections looked at
)

// buildID reads the GNU build id, from the note segments and, for files
// without program headers, from the note sections.
func (im *image) buildID() string {
	looked := 0
	try := func(off, size uint64) string {
		looked++
		if looked > maxNoteChunks {
			return ""
		}
		b, err := im.bytes(off, min(size, maxNoteBytes))
		if err != nil {
			return ""
		}
		return parseBuildID(b)
	}
	for _, s := range im.segments {
		if s.kind == elf.PT_NOTE {
			if id := try(s.off, s.filesz); id != "" {
				return id
			}
		}
	}
	for _, s := range im.sections {
		if s.kind == elf.SHT_NOTE {
			if id := try(s.off, s.size); id != "" {
				return id
			}
		}
	}
	return ""
}

// parseBuildID walks ELF notes, which also is the form of /sys/kernel/notes.
// Notes are padded to 4 bytes; the 8 of .note.gnu.property only ever comes
// with sizes for which both agree.
func parseBuildID(b []byte) string {
	c := cursor.Cursor{Bytes: b}
	for c.Left() >= 12 {
		nameLen, descLen, kind := c.U32(), c.U32(), c.U32()
		name := c.Take(uint64(nameLen))
		c.Take(uint64(-nameLen & 3))
		desc := c.Take(uint64(descLen))
		if c.Bad {
			return ""
		}
		if kind == noteBuildID && string(name) == "GNU\x00" && len(desc) > 0 && len(desc) <= maxBuildID {
			return hex.EncodeToString(desc)
		}
		c.Take(uint64(-descLen & 3))
	}
	return ""
}
