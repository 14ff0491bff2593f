package session

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/bpf"
	"github.com/energyprof/energyprof/internal/pmu"
	"github.com/energyprof/energyprof/perfring"
)

// copied is a Sink that looks into copies of stacks.
type copied struct {
	recorder
	text            unwindable
	samples, framed int
	depths          []int
}

// unwindable is the addresses of a program's code.
type unwindable struct{ start, limit uint64 }

func (c *copied) Record(rec perfring.Record, cpu, event int) {
	s, ok := rec.(*perfring.Sample)
	if !ok {
		return
	}
	if slices.Contains(s.Callchain, perfring.ContextUser) {
		c.t.Errorf("a callchain with a user part: %#x", s.Callchain)
	}
	if s.UserRegsABI == 0 || !c.text.has(s.IP) {
		return // in execve, or in the kernel
	}
	c.samples++
	if len(s.UserRegs) != bits.OnesCount64(perfring.RegsMask) || s.UserRegsABI != 2 {
		c.t.Fatalf("%d registers of ABI %d", len(s.UserRegs), s.UserRegsABI)
	}
	pc, sp, fp := 8, 7, 6 // enum perf_event_x86_regs
	if runtime.GOARCH == "arm64" {
		pc, sp, fp = 32, 31, 29
	}
	if s.UserRegs[pc] != s.IP {
		c.t.Fatalf("registers at %#x, the sample at %#x", s.UserRegs[pc], s.IP)
	}
	// Go keeps frame pointers: the caller's, and above it the return address.
	base, frame := s.UserRegs[sp], s.UserRegs[fp]
	depth := 0
	for frame >= base && frame-base+16 <= uint64(len(s.UserStack)) {
		word := s.UserStack[frame-base:]
		if !c.text.has(binary.NativeEndian.Uint64(word[8:])) {
			break
		}
		depth++
		frame = binary.NativeEndian.Uint64(word)
	}
	if depth > 0 {
		c.framed++
	}
	c.depths = append(c.depths, depth)
}

func (u unwindable) has(addr uint64) bool { return addr >= u.start && addr < u.limit }

// Copies of the stack begin where the stack pointer is, and with the registers they lead from frame to frame.
func TestCopiesOfStacks(t *testing.T) {
	text := fixedProgram(t).Section(".text")
	for _, size := range []uint32{1024, DefaultCopy, MaxCopy} {
		opt := options(t)
		opt.Stacks.Copy, opt.Pages = size, 0
		opt.Command = []string{self(t)}
		t.Setenv(workerEnv, "2 0.3 0")
		sink := &copied{recorder: recorder{t: t}, text: unwindable{text.Addr, text.Addr + text.Size}}
		if lost := runInto(t, opt, sink).Books.Total().Lost; lost != 0 {
			t.Errorf("%d bytes: lost %d", size, lost)
		}
		slices.Sort(sink.depths)
		if sink.samples < 100 || sink.framed < sink.samples*9/10 || sink.depths[len(sink.depths)/2] < 3 {
			t.Errorf("%d bytes: %d samples in the program's code, from %d of which a frame leads to another, to a median of %v; want 100, nearly all, 3",
				size, sink.samples, sink.framed, sink.depths[len(sink.depths)/2:][:1])
		}
	}
}

// A clock has no last branches. Where the CPU has none either, that is the error.
func TestLBR(t *testing.T) {
	opt := options(t)
	opt.Stacks.LBR = true
	opt.Command = []string{self(t)}
	if _, err := Run(opt, &recorder{t: t}); !errors.Is(err, ErrNoLBR) {
		t.Errorf("a clock alone: %v, want %v", err, ErrNoLBR)
	}
	cycles, err := opt.FS.Parse("cycles:u")
	if err != nil {
		t.Skipf("no cycles: %v", err)
	}
	opt.Events = append(opt.Events, Event{Event: cycles, Frequency: 997})
	t.Setenv(workerEnv, "1 0.2 0")
	sink := &branches{recorder: recorder{t: t}}
	result, err := Run(opt, sink)
	if errors.Is(err, ErrNoLBR) || errors.Is(err, unix.ENOENT) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	result.Close()
	if sink.n == 0 {
		t.Error("no sample has a branch")
	}
}

type branches struct {
	recorder
	n int
}

func (b *branches) Record(rec perfring.Record, cpu, event int) {
	if s, ok := rec.(*perfring.Sample); ok && len(s.Branches) > 0 {
		b.n++
	}
}

// What an event's samples have of stacks, and what is left of it in a file.
func TestStackAttributes(t *testing.T) {
	const (
		chain  = sampleFormat | perfring.SampleCallchain
		copies = perfring.SampleRegsUser | perfring.SampleStackUser
		alone  = perfring.FlagExcludeCallchainUser
	)
	program := new(bpf.Stacks)
	clock := pmu.Event{Name: "cpu-clock", Clock: true, Type: unix.PERF_TYPE_SOFTWARE}
	cycles := pmu.Event{Name: "cycles", Type: 4}
	tracepoint := pmu.Event{Name: "sched:sched_switch", Type: unix.PERF_TYPE_TRACEPOINT}
	for _, c := range []struct {
		name   string
		stacks Stacks
		event  pmu.Event
		format perfring.SampleFormat
		flags  perfring.Flags
		size   uint32
	}{
		{"fp", Stacks{}, clock, chain, 0, 0},
		{"copy", Stacks{Copy: 4096}, clock, chain | copies, alone, 4096},
		{"program", Stacks{BPF: program}, clock, chain, alone, 0},
		{"program, tracepoint", Stacks{BPF: program}, tracepoint, chain | copies, alone, DefaultCopy},
		{"program, tracepoint, size", Stacks{BPF: program, Copy: 512}, tracepoint, chain | copies, alone, 512},
		{"lbr", Stacks{LBR: true}, cycles, chain | perfring.SampleBranchStack, 0, 0},
		{"lbr, clock", Stacks{LBR: true}, clock, chain, 0, 0},
	} {
		opt := Options{Callchains: true, Stacks: c.stacks, Events: []Event{{Event: c.event, Frequency: 997}}}
		r := &recording{opt: opt}
		a := r.attr(0, 1)
		if a.SampleFormat != c.format || a.Flags&alone != c.flags || a.StackUser != c.size || (a.RegsUser != 0) != (c.size > 0) {
			t.Errorf("%s: format %#x, flags %#x, %d bytes of stack, registers %#x; want %#x, %#x, %d", c.name, a.SampleFormat, a.Flags&alone, a.StackUser, a.RegsUser, c.format, c.flags, c.size)
		}
		whole := Whole(a)
		if whole.SampleFormat != chain || whole.Flags&alone != 0 || whole.StackUser|uint32(whole.RegsUser|whole.BranchFormat) != 0 {
			t.Errorf("%s: %+v is left, want format %#x", c.name, whole, chain)
		}
		if got := opt.WholeFormats(); !slices.Equal(got, []perfring.SampleFormat{chain}) {
			t.Errorf("%s: formats %#x, want %#x", c.name, got, chain)
		}
	}
}

func TestStacksRefused(t *testing.T) {
	clock := []Event{{Event: pmu.Event{Name: "cpu-clock", Clock: true, Type: unix.PERF_TYPE_SOFTWARE}, Frequency: 997}}
	for _, c := range []struct {
		stacks Stacks
		want   string
	}{
		{Stacks{Copy: 100}, "copies of 100 bytes of the stack: the kernel wants a multiple of 8 up to 65528"},
		{Stacks{Copy: 1 << 16}, "copies of 65536 bytes"},
		{Stacks{Copy: 8, LBR: true}, "in one way only"},
		{Stacks{BPF: new(bpf.Stacks), LBR: true}, "in one way only"},
		{Stacks{LBR: true}, ErrNoLBR.Error()},
	} {
		opt := Options{Command: []string{"true"}, Events: clock, Callchains: true, Stacks: c.stacks}
		if err := opt.check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.stacks, err, c.want)
		}
	}
}
