package perfdata

import (
	"bytes"

	"github.com/energyprof/energyprof/perfring"
)

// Places in struct perf_record_header_build_id. Before Linux 2.6.35 there was no pid.
const (
	buildIDPID     = recordHeader
	buildIDData    = buildIDPID + 4
	buildIDLen     = buildIDData + 20
	buildIDName    = buildIDData + 24
	maxBuildIDSize = 20
)

// buildIDs reads the section of build ids, which is a sequence of records.
func (f *File) buildIDs(b []byte) {
	// The kernel comes first, and its name is well known: if it begins four
	// bytes early, the records have no pid (perf_header__read_build_ids).
	quirk := len(b) > buildIDName && bytes.HasPrefix(b[buildIDName:], []byte("nel.kallsyms]"))
	for len(b) >= recordHeader {
		size := int(f.order.Uint16(b[6:]))
		if size < recordHeader || size > len(b) {
			f.notes.add("the list of build ids is damaged")
			return
		}
		f.buildID(b[:size], quirk)
		b = b[size:]
	}
}

// buildID reads one record of a build id.
func (f *File) buildID(rec []byte, quirk bool) {
	if quirk && len(rec) > recordHeader {
		rec = append(rec[:recordHeader:recordHeader], append([]byte{0xff, 0xff, 0xff, 0xff}, rec[recordHeader:]...)...)
	}
	if len(rec) < buildIDName {
		f.notes.add("a build id is cut short")
		return
	}
	misc := f.order.Uint16(rec[4:])
	id := rec[buildIDData : buildIDData+maxBuildIDSize]
	if misc&miscBuildIDSize != 0 {
		id = id[:min(int(rec[buildIDLen]), len(id))]
	} else {
		// Shorter ones are padded; a hash that ends in a word of zeros is unlikely.
		for len(id) > 4 && bytes.Equal(id[len(id)-4:], []byte{0, 0, 0, 0}) {
			id = id[:len(id)-4]
		}
	}
	b := BuildID{
		Filename: cString(rec[buildIDName:]),
		ID:       bytes.Clone(id),
		PID:      int32(f.order.Uint32(rec[buildIDPID:])),
	}
	switch misc & perfring.MiscCPUModeMask {
	case perfring.MiscKernel:
		b.Kernel = true
	case perfring.MiscGuestKernel:
		b.Kernel, b.Guest = true, true
	case perfring.MiscGuestUser:
		b.Guest = true
	}
	f.Info.BuildIDs = append(f.Info.BuildIDs, b)
}
