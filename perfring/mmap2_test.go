package perfring

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// An event that asked for no build ids gets the bit of one with an inode when
// another event asked for them.
func TestStrayBuildIDBit(t *testing.T) {
	with := &Attr{Flags: FlagMmap | FlagMmap2 | FlagBuildID}
	without := &Attr{Flags: FlagMmap | FlagMmap2}
	sampler := &Attr{} // brings no Mmap2
	raw := encode(RecordMmap2, MiscMmapBuildID|MiscUser, uint32(1), uint32(2), []uint64{3, 4, 5},
		uint32(8), uint32(1), uint64(77), uint64(9), uint32(unix.PROT_READ), uint32(unix.MAP_PRIVATE), "/x")
	tests := []struct {
		name    string
		attrs   []*Attr
		buildID bool
	}{
		{"asked", []*Attr{with}, true},
		{"not asked", []*Attr{without}, false},
		{"not said", []*Attr{sampler}, true},
		{"asked, beside a sampler", []*Attr{with, sampler}, true},
		{"asked, after a sampler", []*Attr{sampler, with}, true},
		{"not asked, beside a sampler", []*Attr{without, sampler}, false},
		{"not asked, after a sampler", []*Attr{sampler, without}, false},
	}
	for _, test := range tests {
		d := NewDecoder()
		for _, a := range test.attrs {
			must(t, d.Add(a))
		}
		rec, err := d.Decode(raw)
		must(t, err)
		m := rec.(*Mmap2)
		if test.buildID && (len(m.BuildID) != 8 || m.Ino != 0) {
			t.Errorf("%s: build id %x, inode %d", test.name, m.BuildID, m.Ino)
		}
		if !test.buildID && (m.BuildID != nil || m.Maj != 8 || m.Min != 1 || m.Ino != 77 || m.InoGeneration != 9) {
			t.Errorf("%s: build id %x, %d:%d inode %d generation %d", test.name, m.BuildID, m.Maj, m.Min, m.Ino, m.InoGeneration)
		}
		if string(m.Filename) != "/x" || m.Prot != unix.PROT_READ {
			t.Errorf("%s: file %q, prot %d", test.name, m.Filename, m.Prot)
		}
	}
	d := NewDecoder()
	must(t, d.Add(with))
	if d.Add(without) == nil {
		t.Error("events with and without build ids share a stream without ids")
	}
}

// The kernel tells three events of one mapping in turn; only the second asked
// for build ids.
func TestLiveBuildIDOfOthers(t *testing.T) {
	program, err := filepath.EvalSymlinks("/bin/sh") // distributions build with build ids
	if err != nil {
		t.Skipf("no program to map: %v", err)
	}
	info, err := os.Stat(program)
	must(t, err)
	inode := info.Sys().(*syscall.Stat_t).Ino
	d := NewDecoder()
	var rings []*Ring
	for _, flags := range []Flags{0, FlagBuildID, 0} {
		a := &Attr{
			Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_DUMMY,
			SampleFormat: SampleIdentifier | SampleTID,
			Flags:        FlagSampleIDAll | FlagMmap | FlagMmap2 | user | flags,
		}
		e := open(t, a, -1, nil)
		rings = append(rings, mapRing(t, e, 8))
		must(t, d.Add(a, e.ID))
	}
	_, err = os.ReadFile(program) // the kernel looks for the build id in memory only
	must(t, err)
	file, err := os.Open(program)
	must(t, err)
	defer file.Close()
	mem, err := unix.Mmap(int(file.Fd()), 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE)
	must(t, err)
	defer unix.Munmap(mem)
	for i, r := range rings {
		found := false
		r.Drain(func(raw []byte) {
			rec, err := d.Decode(raw)
			must(t, err)
			m, ok := rec.(*Mmap2)
			if !ok || filepath.Base(string(m.Filename)) != filepath.Base(program) {
				return
			}
			found = true
			if i == 1 && m.BuildID == nil && m.Ino == inode {
				t.Skipf("the kernel found no build id in %s", program)
			}
			if wants := i == 1; wants != (len(m.BuildID) > 0) || !wants && m.Ino != inode {
				t.Errorf("event %d: misc %#x, build id %x, inode %d, want inode %d", i, m.Misc, m.BuildID, m.Ino, inode)
			}
		})
		if !found {
			t.Errorf("event %d saw no mapping of %s", i, program)
		}
	}
}
