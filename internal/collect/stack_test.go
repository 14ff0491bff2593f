package collect

import (
	"fmt"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/internal/symbol"
	"github.com/energyprof/energyprof/perfring"
)

// kallsyms is a kernel with an idle loop, a system call and an interrupt.
const kallsyms = `ffffffff81000000 T _stext
ffffffff81001000 T do_idle
ffffffff81002000 T vfs_read
ffffffff81003000 T __x64_sys_read
ffffffff81004000 T entry_SYSCALL_64
ffffffff81005000 T __do_softirq
ffffffff81006000 T _etext
`

const (
	kIdle  = 0xffffffff81001010
	kRead  = 0xffffffff81002010
	kSys   = 0xffffffff81003000 // as a return address: the call is the last instruction of vfs_read
	kEntry = 0xffffffff81004020
	kIRQ   = 0xffffffff81005010
)

func withKernel(t testing.TB, files map[string]string) Options {
	all := map[string]string{"kallsyms": kallsyms, "sys/kernel/perf_event_max_stack": "9\n"}
	for name, content := range files {
		all[name] = content
	}
	proc := tree(t, all)
	return Options{Proc: proc, Resolver: symbol.New(symbol.Options{Proc: proc, Sys: proc, Root: proc})}
}

func TestCallchains(t *testing.T) {
	const (
		user   = perfring.ContextUser
		kernel = perfring.ContextKernel
		lib    = 0x7f0000000000
	)
	for _, tt := range []struct {
		name  string
		misc  uint16
		ip    uint64
		chain []uint64
		want  string
	}{
		{"user: the leaf is exact, callers are before the return address", perfring.MiscUser, 0x400100,
			[]uint64{user, 0x400100, 0x400200, 0x400300}, "/bin/app+0x100 < /bin/app+0x1ff < /bin/app+0x2ff"},
		{"kernel and user: both instruction pointers are exact", perfring.MiscKernel, kRead,
			[]uint64{kernel, kRead, kSys, kEntry, user, 0x400100, 0x400200},
			"vfs_read < vfs_read < entry_SYSCALL_64 < /bin/app+0x100 < /bin/app+0x1ff"},
		{"a return address at the very start of a mapping belongs to the one before", perfring.MiscUser, 0x400100,
			[]uint64{user, 0x400100, 0x410000}, "/bin/app+0x100 < /bin/app+0xffff"},
		{"no callchain, kernel", perfring.MiscKernel, kRead, nil, "vfs_read"},
		{"no callchain, user", perfring.MiscUser, 0x400100, nil, "/bin/app+0x100"},
		{"markers alone", perfring.MiscUser, 0x400100, []uint64{user}, "/bin/app+0x100"},
		{"no markers", perfring.MiscUser, 0x400100, []uint64{0x400100, 0x400200}, "/bin/app+0x100 < /bin/app+0x1ff"},
		{"outside of all mappings", perfring.MiscUser, 0x100, []uint64{user, 0x100, lib}, "[unknown] 0x100 < [unknown] 0x7effffffffff"},
		{"a deferred user part has a cookie", perfring.MiscKernel, kRead,
			[]uint64{kernel, kRead, perfring.ContextUserDeferred, 12345}, "vfs_read"},
		{"a guest", perfring.MiscGuestKernel, kRead,
			[]uint64{perfring.ContextGuestKernel, kRead, kSys, perfring.ContextGuestUser, 5}, "[guest]"},
		{"a hypervisor", perfring.MiscHypervisor, 1, []uint64{perfring.ContextHV, 1, 2, kernel, kRead}, "[hypervisor] < vfs_read"},
		{"as deep as the kernel goes", perfring.MiscKernel, kRead,
			[]uint64{kernel, kRead, kSys, user, 0x400001, 0x400002, 0x400002, 0x400002, 0x400002, 0x400002, 0x400003},
			"vfs_read < vfs_read < /bin/app+0x1" + strings.Repeat(" < /bin/app+0x1", 5) + " < /bin/app+0x2 < [truncated]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStream(t, withKernel(t, nil))
			s.exec(10, "app")
			s.mmap(10, 0x400000, 0x10000, 0, "/bin/app")
			s.put(&perfring.Sample{Header: perfring.Header{Misc: tt.misc}, PID: 10, TID: 10, Time: s.tick(),
				Period: ms, IP: tt.ip, Callchain: tt.chain})
			s.expect(t, "app/app 10/10 1×1ms "+tt.want)
			if cut := s.Books().Truncated; cut != uint64(strings.Count(tt.want, "[truncated]")) {
				t.Errorf("%d truncated", cut)
			}
		})
	}
}

// An address without a marker says nothing by itself.
func TestModesAreToldApart(t *testing.T) {
	s := newStream(t, withKernel(t, nil))
	s.exec(10, "app")
	for _, misc := range []uint16{perfring.MiscUser, perfring.MiscKernel, perfring.MiscGuestUser} {
		s.put(&perfring.Sample{Header: perfring.Header{Misc: misc}, PID: 10, TID: 10, Time: s.tick(), Period: ms, IP: kRead})
	}
	s.expect(t,
		"app/app 10/10 1×1ms [guest]",
		"app/app 10/10 1×1ms [unknown] 0xffffffff81002010",
		"app/app 10/10 1×1ms vfs_read")
}

func TestHiddenKernel(t *testing.T) {
	opt := withKernel(t, map[string]string{"kallsyms": "0000000000000000 T _stext\n0000000000000000 T do_idle\n"})
	s := newStream(t, opt)
	s.exec(10, "app")
	s.mmap(10, 0x400000, 0x10000, 0, "/bin/app")
	s.put(&perfring.Sample{Header: perfring.Header{Misc: perfring.MiscKernel}, PID: 10, TID: 10, Time: s.tick(), Period: ms,
		IP: kRead, Callchain: []uint64{perfring.ContextKernel, kRead, kSys, perfring.ContextUser, 0x400100}})
	s.idleSample(kIRQ)
	s.expect(t, "app/app 10/10 1×1ms [kernel] < /bin/app+0x100")
	if s.Books().Idle != 1 {
		t.Errorf("%d idle samples, want 1: without symbols the idle task is idle", s.Books().Idle)
	}
	if !s.Books().KernelHidden {
		t.Error("the books do not say that the kernel has no names")
	}
}

// idleSample is a sample of the idle task.
func (s *stream) idleSample(ip uint64) {
	s.put(&perfring.Sample{Header: perfring.Header{Misc: perfring.MiscKernel}, Time: s.tick(), Period: ms,
		IP: ip, Callchain: []uint64{perfring.ContextKernel, ip, kIdle}})
}

func TestIdle(t *testing.T) {
	opt := withKernel(t, nil)
	opt.SystemWide = true
	s := newStream(t, opt)
	s.idleSample(kIdle)
	s.idleSample(kIRQ) // an interrupt that came in the idle task is work
	s.idleSample(kIdle)
	// A task of another pid namespace has pid 0 as well, but user code.
	s.put(&perfring.Sample{Header: perfring.Header{Misc: perfring.MiscUser}, Time: s.tick(), Period: ms, IP: 0x1234})
	s.expect(t,
		"swapper/swapper 0/0 1×1ms [unknown] 0x1234",
		"swapper/swapper 0/0 1×1ms __do_softirq < do_idle")
	if b := s.Books(); b.Idle != 2 || b.IdleNanoseconds != 2*ms || b.Samples != 2 {
		t.Errorf("idle %d (%d ns), samples %d; want 2 (2 ms), 2", b.Idle, b.IdleNanoseconds, b.Samples)
	}
}

func TestTooManyStacks(t *testing.T) {
	s := newStream(t, Options{MaxStacks: 8})
	s.exec(10, "app")
	s.mmap(10, 0x1000, 0x100000, 0, "/bin/app")
	for i := range uint64(30) {
		s.sample(10, 10, 0x1000+i%12, 0x2001+i%15)
	}
	s.clone(10, 11)
	s.comm(10, 11, "late")
	s.sample(10, 11, 0x1000)
	s.sample(10, 10, 0x1000, 0x2001) // one that is known whole
	r := s.Finish()
	var whole, short, none, samples int64
	for _, st := range r.Data.Stacks {
		samples += st.Samples
		switch last := st.Locations[len(st.Locations)-1]; {
		case len(last.Lines) == 0:
			whole += st.Samples
		case len(st.Locations) == 2:
			short += st.Samples
		default:
			none += st.Samples
			if st.Process != "" || last.Lines[0].Function != frameFolded {
				t.Errorf("the last resort is %+v %+v", st, last)
			}
		}
	}
	// Whole: chains 0 to 7, and the last sample. Leaves 8 and 9 have a shortened stack, for both of the callers
	// that they come with; all the rest is [folded].
	if whole != 9 || short != 4 || none != 19 || samples != 32 {
		t.Errorf("samples: %d whole, %d shortened, %d folded, of %d\n%s", whole, short, none, samples, text(r))
	}
	if b := s.Books(); b.Folded != 23 || b.Stacks != 8+2+1 {
		t.Errorf("folded %d, stacks %d; want 23, 11", b.Folded, b.Stacks)
	}
	if notes := fmt.Sprint(r.Notes); !strings.Contains(notes, "23 samples came after 8 different stacks") {
		t.Errorf("notes %s", notes)
	}
	if n := len(s.stacks.labels); n != 1 {
		t.Errorf("%d labels, want 1: that of no stored stack is not kept", n)
	}
}

// Memory for locations stops growing with the stacks.
func TestFoldedStacksAddNoLocations(t *testing.T) {
	s := newStream(t, Options{MaxStacks: 8})
	s.exec(10, "app")
	s.mmap(10, 0x1000, 1<<40, 0, "/bin/app")
	for i := range uint64(10_000) {
		s.sample(10, 10, 0x1000+i, 0x2001+i*16, 0x1000_0000+i*16)
	}
	if n := len(s.stacks.locations.list); n > 5+8*3+2 {
		t.Errorf("%d locations for %d stacks", n, len(s.stacks.list))
	}
	s.expect(t, append([]string{
		"/ 0/0 9990×9990ms [folded]"}, func() (lines []string) {
		for i := range 8 {
			lines = append(lines, fmt.Sprintf("app/app 10/10 1×1ms /bin/app+%#x < /bin/app+%#x < /bin/app+%#x", i, 0x1000+i*16, 0xffff000-1+i*16))
		}
		return append(lines,
			"app/app 10/10 1×1ms /bin/app+0x8 < [folded]", "app/app 10/10 1×1ms /bin/app+0x9 < [folded]")
	}()...)...)
}
