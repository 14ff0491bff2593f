package collect

import (
	"encoding/binary"
	"maps"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/internal/bpf"
	"github.com/energyprof/energyprof/internal/unwind"
	"github.com/energyprof/energyprof/perfring"
	"github.com/energyprof/energyprof/report"
)

// Registers of amd64 as samples have them (arch/x86/include/uapi/asm/perf_regs.h): rbp, rsp and rip.
const bpSPIP = 1<<6 | 1<<7 | 1<<8

// words is memory as a sample copies it.
func words(values ...uint64) []byte {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}

// Code without a file keeps frame pointers, so that its stacks can be made up: a frame pointer, and a return
// address above it.
func TestUnwinding(t *testing.T) {
	const (
		code = 0x600000
		sp   = 0x7ffc0000
	)
	whole := words(sp+0x18, 7, code+0x20, sp+0x28, code+0x30, 0, code+0x40) // from sp on
	kernels := []uint64{perfring.ContextKernel, kRead, kEntry}
	for _, tt := range []struct {
		name   string
		misc   uint16
		abi    uint64
		regs   []uint64
		stack  []byte
		chain  []uint64
		want   string
		ending string // "" complete
	}{
		{"to the last frame", perfring.MiscUser, 2, []uint64{sp + 8 - 8, sp, code + 0x10},
			words(sp+0x10, code+0x20, 0, code+0x30), nil, "//anon+0x10 < //anon+0x1f < //anon+0x2f", ""},
		{"the copy ends", perfring.MiscUser, 2, []uint64{sp, sp, code + 0x10},
			words(sp+0x10, code+0x20), nil, "//anon+0x10 < //anon+0x1f < [truncated]", "truncated"},
		{"a return address in no mapping", perfring.MiscUser, 2, []uint64{sp, sp, code + 0x10},
			words(sp+0x10, 0x100), nil, "//anon+0x10 < [unwind failed: bad frame]", "bad frame"},
		{"a frame below the one that it called", perfring.MiscUser, 2, []uint64{sp - 0x100, sp, code + 0x10},
			whole, nil, "//anon+0x10 < [unwind failed: bad frame]", "bad frame"},
		{"code that is mapped nowhere", perfring.MiscUser, 2, []uint64{sp, sp, 0x100},
			whole, nil, "[unknown] 0x100 < [unwind failed: address in no mapping]", "address in no mapping"},
		{"behind the kernel's part", perfring.MiscKernel, 2, []uint64{sp, sp, code + 0x10},
			words(sp+0x10, code+0x20, 0, code+0x30), kernels, "vfs_read < entry_SYSCALL_64 < //anon+0x10 < //anon+0x1f < //anon+0x2f", ""},
		{"a thread of the kernel", perfring.MiscKernel, 0, nil, nil, kernels, "vfs_read < entry_SYSCALL_64", ""},
		{"a thread of the kernel without a callchain", perfring.MiscKernel, 0, nil, nil, nil, "vfs_read", ""},
		{"a thread that has given up its memory", perfring.MiscKernel, 2, []uint64{sp, sp, code + 0x10}, nil, kernels,
			"vfs_read < entry_SYSCALL_64", ""},
		{"no registers", perfring.MiscUser, 0, nil, nil, nil, "//anon+0x10 < [unwind failed: no stack in the sample]", "no stack in the sample"},
		{"a 32-bit program", perfring.MiscUser, 1, []uint64{sp, sp, code + 0x10}, whole, nil,
			"//anon+0x10 < [unwind failed: 32-bit program]", "32-bit program"},
		{"unwound already", perfring.MiscUser, 0, nil, nil, []uint64{perfring.ContextUser, code + 0x10, code + 0x20},
			"//anon+0x10 < //anon+0x1f", "no entry point"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opt := withKernel(t, nil)
			opt.Events = []Event{{Name: "cpu-clock", Clock: true, UserRegs: bpSPIP}}
			opt.Stacks.Method = "dwarf"
			s := newStream(t, opt)
			s.exec(10, "app")
			s.mmap(10, code, 0x1000, 0, "")
			ip := uint64(code + 0x10)
			switch {
			case tt.misc == perfring.MiscKernel:
				ip = kRead
			case len(tt.regs) == 3:
				ip = tt.regs[2]
			}
			rec := perfring.Sample{Header: perfring.Header{Misc: tt.misc}, PID: 10, TID: 10, Time: s.tick(), Period: ms,
				IP: ip, Callchain: tt.chain, UserRegsABI: tt.abi, UserRegs: tt.regs, UserStack: tt.stack}
			s.put(&rec)
			if rec.UserRegs != nil || rec.UserStack != nil {
				t.Errorf("the sample keeps registers %v and a copy of %d bytes", rec.UserRegs, len(rec.UserStack))
			}
			r := s.expect(t, "app/app 10/10 1×1ms "+tt.want)
			want := report.Stacks{Method: "dwarf", Samples: 1}
			switch tt.ending {
			case "":
				want.Complete = 1
			case "truncated":
				want.Truncated = 1
			default:
				want.Failed = map[string]int64{tt.ending: 1}
			}
			sameStacks(t, r.Stacks, &want)
		})
	}
}

func sameStacks(t *testing.T, got, want *report.Stacks) {
	t.Helper()
	if got == nil || got.Method != want.Method || got.Samples != want.Samples || got.Complete != want.Complete ||
		got.Truncated != want.Truncated || !maps.Equal(got.Failed, want.Failed) {
		t.Errorf("stacks %+v, want %+v", got, want)
	}
}

// While execve is at work in the kernel the registers of user code are those of the program that is gone.
func TestStacksOfExecve(t *testing.T) {
	const code, sp, old = 0x600000, 0x7ffc0000, 0x4010
	opt := withKernel(t, nil)
	opt.Events = []Event{{Name: "cpu-clock", Clock: true, UserRegs: bpSPIP}}
	opt.Stacks.Method = "dwarf"
	s := newStream(t, opt)
	sample := func(misc uint16, ip, pc uint64, chain ...uint64) {
		s.put(&perfring.Sample{Header: perfring.Header{Misc: misc}, PID: 10, TID: 10, Time: s.tick(), Period: ms, IP: ip, Callchain: chain,
			UserRegsABI: 2, UserRegs: []uint64{sp, sp, pc}, UserStack: words(0, 0)})
	}
	s.exec(10, "app")
	s.mmap(10, code, 0x1000, 0, "")
	sample(perfring.MiscKernel, kRead, old, perfring.ContextKernel, kRead)
	sample(perfring.MiscUser, code+0x10, code+0x10)
	sample(perfring.MiscKernel, kRead, old, perfring.ContextKernel, kRead) // no execve any more
	r := s.expect(t,
		"app/app 10/10 1×1ms //anon+0x10",
		"app/app 10/10 1×1ms vfs_read",
		"app/app 10/10 1×1ms vfs_read < [unknown] 0x4010 < [unwind failed: address in no mapping]")
	if n := r.Stacks.Failed["address in no mapping"]; n != 1 {
		t.Errorf("%d stacks end in no mapping, want 1 of %+v", n, r.Stacks)
	}
}

// A stack is no longer than the kernel would make it, its own part included.
func TestUnwoundStacksAreCut(t *testing.T) {
	const code, sp = 0x600000, 0x7ffc0000
	opt := withKernel(t, nil) // 9 frames
	opt.Events = []Event{{Name: "cpu-clock", Clock: true, UserRegs: bpSPIP}}
	opt.Stacks.Method = "dwarf"
	s := newStream(t, opt)
	s.exec(10, "app")
	s.mmap(10, code, 0x1000, 0, "")
	var frames []uint64
	for i := range uint64(20) {
		frames = append(frames, sp+16*(i+1), code+0x20)
	}
	s.put(&perfring.Sample{Header: perfring.Header{Misc: perfring.MiscKernel}, PID: 10, TID: 10, Time: s.tick(), Period: ms, IP: kRead,
		Callchain: []uint64{perfring.ContextKernel, kRead, kEntry}, UserRegsABI: 2, UserRegs: []uint64{sp, sp, code + 0x10}, UserStack: words(frames...)})
	r := s.expect(t, "app/app 10/10 1×1ms vfs_read < entry_SYSCALL_64 < //anon+0x10"+strings.Repeat(" < //anon+0x1f", 6)+" < [truncated]")
	sameStacks(t, r.Stacks, &report.Stacks{Method: "dwarf", Samples: 1, Truncated: 1})
}

// The walk of a sample that another one interrupted comes before that one's: the latest of its thread and
// instruction is its own, once.
func TestWalksFindTheirSamples(t *testing.T) {
	const code = 0x600000
	opt := withKernel(t, nil)
	opt.Stacks = Stacks{Method: "bpf", BPF: &bpf.Stacks{}} // which is asked nothing: no walk lacks what it has
	s := newStream(t, opt)
	s.exec(10, "app")
	s.mmap(10, code, 0x1000, 0, "")
	put := func(tid uint32, ip uint64, outcome unwind.Outcome, frames ...uint64) {
		state := s.Collector.cpu(0)
		if state.walks == nil {
			state.walks = &walks{}
		}
		state.walks.list[state.walks.next] = walk{Walked: bpf.Walked{IP: ip, PID: 10, TID: tid, Frames: frames, Outcome: outcome}, open: true}
		state.walks.next = (state.walks.next + 1) % len(state.walks.list)
	}
	sample := func(tid uint32, misc uint16, ip uint64, chain ...uint64) {
		s.put(&perfring.Sample{Header: perfring.Header{Misc: misc}, PID: 10, TID: tid, Time: s.tick(), Period: ms, IP: ip, Callchain: chain})
	}
	put(10, code+0x10, unwind.Complete, code+0x10, code+0x20)
	put(10, kIRQ, unwind.Complete, code+0x10, code+0x30)
	sample(10, perfring.MiscKernel, kIRQ, perfring.ContextKernel, kIRQ)
	sample(10, perfring.MiscUser, code+0x10)
	sample(10, perfring.MiscUser, code+0x10) // its walk found no room in the ring
	put(11, code+0x10, unwind.BadFrame, code+0x10, code+0x50)
	put(10, code+0x10, unwind.Complete, code+0x10, code+0x60) // its sample found none
	put(10, code+0x10, unwind.Complete, code+0x10, code+0x70)
	sample(10, perfring.MiscUser, code+0x10)
	sample(11, perfring.MiscUser, code+0x10)
	put(10, kRead, unwind.Complete)
	sample(10, perfring.MiscKernel, kRead, perfring.ContextKernel, kRead)
	// Stuck, with no memory where the stack was.
	put(12, kRead, unwind.Complete)
	walks := &s.Collector.cpu(0).walks.list
	for i := range walks {
		if w := &walks[i]; w.TID == 12 {
			w.Stuck, w.First, w.Base = true, true, 1<<12
			w.Regs.PC = code + 0x10
		}
	}
	sample(12, perfring.MiscKernel, kRead, perfring.ContextKernel, kRead)
	put(13, kRead, unwind.Complete) // it is being reaped
	sample(goneID, perfring.MiscKernel, kRead, perfring.ContextKernel, kRead)
	r := s.expect(t,
		"app/app 10/-1 1×1ms vfs_read",
		"app/app 10/10 1×1ms //anon+0x10 < //anon+0x1f",
		"app/app 10/10 1×1ms //anon+0x10 < //anon+0x6f",
		"app/app 10/10 1×1ms //anon+0x10 < [unwind failed: no stack in the sample]",
		"app/app 10/10 1×1ms __do_softirq < //anon+0x10 < //anon+0x2f",
		"app/app 10/10 1×1ms vfs_read",
		"app/app 10/11 1×1ms //anon+0x10 < //anon+0x4f < [unwind failed: bad frame]",
		"app/app 10/12 1×1ms vfs_read")
	sameStacks(t, r.Stacks, &report.Stacks{Method: "bpf", Samples: 8, Complete: 6,
		Failed: map[string]int64{"no stack in the sample": 1, "bad frame": 1}})
	if b := s.Books(); b.NoWalk != 1 || b.BadWalks != 0 {
		t.Errorf("%d samples without a walk and %d walks that cannot be read, want 1 and none", b.NoWalk, b.BadWalks)
	}
}

// What a recording kept of its own walks says how each stack ends, though nothing can be looked up any more.
func TestKeptWalksSayHowTheyEnd(t *testing.T) {
	s := newStream(t, Options{Stacks: Stacks{Method: "bpf"}, Past: &Past{}, MaxDepth: 3})
	s.exec(10, "app")
	s.mmap(10, 0x1000, 0x1000, 0, "/bin/app")
	s.sample(10, 10, 0x1010, 0x1020, 0x1030) // as deep as may be, and whole
	s.sample(10, 10, 0x1010, 0x1020, 0x1031, unwind.Deep.Address())
	s.sample(10, 10, 0x1010, unwind.NoInformation.Address())
	r := s.expect(t,
		"app/app 10/10 1×1ms /bin/app+0x10 < /bin/app+0x1f < /bin/app+0x2f",
		"app/app 10/10 1×1ms /bin/app+0x10 < /bin/app+0x1f < /bin/app+0x30 < [truncated]",
		"app/app 10/10 1×1ms /bin/app+0x10 < [unwind failed: no unwind information]")
	sameStacks(t, r.Stacks, &report.Stacks{Method: "bpf", Samples: 3, Complete: 1, Truncated: 1, Failed: map[string]int64{"no unwind information": 1}})
}

func TestArchOfRegisters(t *testing.T) {
	// The masks that perf and simpleperf write.
	for mask, want := range map[uint64]unwind.Arch{0xff0fff: unwind.AMD64, bpSPIP: unwind.AMD64, 1<<33 - 1: unwind.ARM64, 1<<34 - 1: unwind.ARM64} {
		if got := archOf(mask); got != want {
			t.Errorf("mask %#x: architecture %d, want %d", mask, got, want)
		}
	}
}

// TestDamagedTables: a binary whose tables are no tables is named.
func TestDamagedTables(t *testing.T) {
	u := newUnwinder()
	text := []unwind.Range{{Start: 0x1000, Limit: 0x2000}}
	u.newModule(unwind.Image{Name: "/good", Arch: unwind.AMD64, Text: text}).Chunk(0)
	if notes := u.damaged(); notes != nil {
		t.Errorf("notes %q of a binary without tables", notes)
	}
	garbage := strings.Repeat("\x13\x00\x00\x00garbage", 9)
	u.newModule(unwind.Image{Name: "/bad", Arch: unwind.AMD64, Text: text,
		EHFrame: unwind.Section{Addr: 0x3000, Size: uint64(len(garbage)), Data: strings.NewReader(garbage)}}).Chunk(0)
	if notes := u.damaged(); len(notes) != 1 || !strings.Contains(notes[0], "stacks through 1 files may end early, the first: unwind information of /bad: ") {
		t.Errorf("notes %q", notes)
	}
}
