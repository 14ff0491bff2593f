package collect

import (
	"strings"
	"testing"

	"github.com/energyprof/energyprof/perfring"
)

// Of a capture the kernel's functions are named by the kernel that runs here only if it is the same, in the
// same place; the file or a mapping in it tells.
func TestKernelOfCapture(t *testing.T) {
	const id, stext = "0102", 0xffffffff81000000
	notes := "\x04\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00GNU\x00\x01\x02\x00\x00"
	for _, tt := range []struct {
		name, file, mapped string // build ids: of the file, of its mapping
		at                 uint64
		want, note         string
	}{
		{"the same", id, "", stext, "vfs_read", ""},
		{"the mapping tells", "", "\x01\x02", stext, "vfs_read", ""},
		{"booted again", id, "", stext + 0x1000000, "[kernel.kallsyms]", "booted again"},
		{"another", "0304", "", stext, "[kernel.kallsyms]", "not the kernel that runs here"},
		{"another by its mapping", "", "\x03\x04", stext, "[kernel.kallsyms]", "not the kernel that runs here"},
		{"nobody tells", "", "", stext, "[kernel.kallsyms]", "do not say which"},
	} {
		opt := withKernel(t, map[string]string{"kernel/notes": notes})
		opt.Proc, opt.SystemWide, opt.NoOthers = "", true, true
		opt.Kernel = Kernel{BuildID: tt.file, Running: opt.Resolver.KernelBuildID(), Marks: map[string]uint64{"_stext": stext}}
		s := newStream(t, opt)
		s.put(&perfring.Mmap2{SampleID: perfring.SampleID{Time: s.tick()}, PID: goneID, Addr: stext, Len: 1 << 24, PgOff: tt.at,
			BuildID: []byte(tt.mapped), Filename: []byte("[kernel.kallsyms]_stext")})
		s.exec(10, "app")
		for _, sample := range []struct {
			pid uint32
			ip  uint64
		}{{10, kRead}, {0, kIRQ}, {0, kIdle}} {
			s.put(&perfring.Sample{Header: perfring.Header{Misc: perfring.MiscKernel}, PID: sample.pid, TID: sample.pid, Time: s.tick(),
				Period: ms, IP: sample.ip, Callchain: []uint64{perfring.ContextKernel, sample.ip}})
		}
		r := s.Finish()
		idle := uint64(2) // nobody can tell the interrupt from it
		if tt.note == "" {
			idle = 1
		}
		if got := locationText(r.Data.Stacks[0].Locations[0]); !strings.HasPrefix(got, tt.want) || s.Books().Idle != idle {
			t.Errorf("%s: %q, %d idle samples, want %q and %d", tt.name, got, s.Books().Idle, tt.want, idle)
		}
		text := strings.Join(r.Notes, "\n")
		if !strings.Contains(text, tt.note) || strings.Contains(text, "of the kernel have no names") != (tt.note != "") {
			t.Errorf("%s: notes %q, want %q", tt.name, text, tt.note)
		}
	}
}
