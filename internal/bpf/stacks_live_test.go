package bpf

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/energyprof/energyprof/internal/symbol"
	"github.com/energyprof/energyprof/internal/unwind"
	"github.com/energyprof/energyprof/perfring"
	"golang.org/x/sys/unix"
)

// stacks loads the program or skips the test.
func stacks(t testing.TB, o StackOptions) *Stacks {
	t.Helper()
	s, err := NewStacks(o)
	if err != nil {
		_, noBTF := os.Stat(kernelBTF)
		if os.Getenv("CI") == "true" && os.Geteuid() == 0 && noBTF == nil && !errors.Is(err, ErrPermission) {
			t.Fatal(err)
		}
		t.Skipf("no walks of stacks in the kernel here: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// native is the architecture of this machine, with the registers of its samples (perf_regs.h of each) and the stack pointer's number.
func native() (arch unwind.Arch, mask uint64, sp int) {
	if runtime.GOARCH == "arm64" {
		return unwind.ARM64, 1<<33 - 1, 31
	}
	return unwind.AMD64, 0xff0fff, 7
}

// sampledThread is a thread whose samples bring both a walk and what package unwind needs for the same walk.
type sampledThread struct {
	t        testing.TB
	pid      int
	stacks   *Stacks
	walker   *unwind.Walker
	rules    *unwind.Rules
	modules  map[*symbol.Binary]*unwind.Module
	list     []*unwind.Module // by ID - 1
	space    *unwind.Space
	told     []StackMapping
	resolver *symbol.Resolver

	generated string // a file whose code is taken for that of a JIT compiler
	blind     bool   // what is mapped does not matter

	event, output *perfring.Event
	ring          *perfring.Ring
	decoder       *perfring.Decoder
	last          *Walked // whose sample has not come yet
}

// maxDeep is how many frames both walks may have.
const maxDeep = 127

// follow opens a CPU clock of a thread on a CPU, where it has to stay.
func follow(t testing.TB, s *Stacks, pid, cpu int) *sampledThread {
	t.Helper()
	g := &sampledThread{}
	g.follow(t, s, pid, cpu)
	return g
}

func (g *sampledThread) follow(t testing.TB, s *Stacks, pid, cpu int) {
	t.Helper()
	arch, mask, _ := native()
	g.t, g.pid, g.stacks, g.rules, g.modules = t, pid, s, unwind.NewRules(), map[*symbol.Binary]*unwind.Module{}
	g.resolver, g.decoder = symbol.New(symbol.Options{}), perfring.NewDecoder()
	t.Cleanup(func() { g.resolver.Close() })
	g.walker = unwind.NewWalker(arch, g.rules)
	if !g.blind {
		g.readMaps()
	}
	const common = perfring.SampleIdentifier | perfring.SampleTID | perfring.SampleTime
	clock := &perfring.Attr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_CPU_CLOCK, Sample: 1_000_000,
		SampleFormat: common | perfring.SampleIP | perfring.SampleRegsUser | perfring.SampleStackUser,
		RegsUser:     mask, StackUser: 24 << 10, Flags: perfring.FlagDisabled,
	}
	walks := &perfring.Attr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_BPF_OUTPUT, Sample: 1,
		SampleFormat: common | perfring.SampleRaw,
	}
	g.event, g.output = g.open(clock, pid, cpu), g.open(walks, -1, cpu)
	var err error
	if g.ring, err = perfring.MapRing(g.event, 4096); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.ring.Close() })
	if err := errors.Join(g.output.SetOutput(g.event), s.Output(cpu, g.output.FD()), g.event.SetBPF(s.FD()), g.event.Enable()); err != nil {
		t.Fatal(err)
	}
}

func (g *sampledThread) open(a *perfring.Attr, pid, cpu int) *perfring.Event {
	g.t.Helper()
	e, err := perfring.Open(a, pid, cpu, nil)
	if err == nil {
		err = g.decoder.Add(a, e.ID)
	}
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { e.Close() })
	return e
}

// readMaps reads what is mapped in the process.
func (g *sampledThread) readMaps() {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", g.pid))
	if err != nil {
		g.t.Fatal(err)
	}
	var list []unwind.Mapping
	g.told = nil
	for line := range strings.Lines(string(maps)) {
		at := symbol.Mapping{PID: g.pid}
		var flags string
		if n, _ := fmt.Sscanf(line, "%x-%x %s %x %x:%x %d %s", &at.Start, &at.Limit, &flags, &at.Offset, &at.Major, &at.Minor, &at.Inode, &at.File); n < 7 ||
			flags[2] != 'x' || at.File == "[vsyscall]" {
			continue
		}
		m := unwind.Mapping{Start: at.Start, Limit: at.Limit}
		told := StackMapping{Start: at.Start, Limit: at.Limit, Kind: FramePointers}
		if at.File != "" && at.File != g.generated {
			m.Module, m.Bias = g.module(at)
			told.Bias, told.Kind, told.Module = m.Bias, Tables, m.Module.ID
		}
		list, g.told = append(list, m), append(g.told, told)
	}
	g.space = unwind.NewSpace(list)
}

// module reads the tables of a file, and tells how much higher than there it is mapped.
func (g *sampledThread) module(m symbol.Mapping) (*unwind.Module, uint64) {
	b, err := g.resolver.Open(m)
	if err != nil {
		g.t.Fatal(err)
	}
	at, ok := b.Mapped(m.Offset, m.Limit-m.Start)
	if !ok {
		g.t.Fatalf("%+v: not in the file", m)
	}
	bias := m.Start - at
	if known := g.modules[b]; known != nil {
		return known, bias
	}
	section := func(name string) unwind.Section {
		s, _ := b.Section(name)
		return unwind.Section{Addr: s.Addr, Size: s.Size, Data: s.Data}
	}
	arch, _, _ := native()
	img := unwind.Image{Name: m.File, Arch: arch, Entry: b.Entry(), EHFrame: section(".eh_frame"), EHFrameHdr: section(".eh_frame_hdr"), DebugFrame: section(".debug_frame")}
	for _, r := range b.Code() {
		img.Text = append(img.Text, unwind.Range{Start: r.Start, Limit: r.Limit})
	}
	if img.Go, err = b.GoTable(); err != nil {
		g.t.Fatal(err)
	}
	p := section(".plt")
	img.PLT = unwind.Range{Start: p.Addr, Limit: p.Addr + p.Size}
	if arch == unwind.ARM64 && m.File == "[vdso]" {
		img.Trampoline = section(".text")
	}
	n := unwind.NewModule(img, g.rules, uint32(len(g.list)+1))
	g.modules[b], g.list = n, append(g.list, n)
	return n, bias
}

// supply gives the program what a walk lacked.
func (g *sampledThread) supply(w *Walked) {
	g.t.Helper()
	var err error
	switch w.Missing {
	case MissingSpace, MissingMapping:
		g.readMaps()
		err = g.stacks.SetSpace(w.Space, g.told)
	case MissingChunk:
		rows := g.list[w.MissingModule-1].Chunk(w.MissingNumber)
		err = errors.Join(g.stacks.SetRules(g.rules.List()), g.stacks.Load(w.MissingModule, w.MissingNumber, rows))
	}
	if err != nil {
		g.t.Fatal(err)
	}
}

// pair is a walk by the program, and the same by package unwind. That of a stuck walk has been finished.
type pair struct {
	Walked
	finished, same []uint64
	ended, want    unwind.Outcome
}

// each gives the walks that there are, with their samples, in order.
func (g *sampledThread) each(give func(w *Walked, s *perfring.Sample)) {
	g.t.Helper()
	g.ring.Drain(func(raw []byte) {
		rec, err := g.decoder.Decode(raw)
		if err != nil {
			g.t.Fatal(err)
		}
		s, ok := rec.(*perfring.Sample)
		switch {
		case !ok:
			g.t.Errorf("a record %T among samples", rec)
		case s.ID == g.output.ID:
			g.last = &Walked{}
			if err := DecodeWalk(bytes.Clone(s.RawData), g.last); err != nil {
				g.t.Fatal(err)
			}
		case g.last == nil || g.last.IP != s.IP || g.last.TID != s.TID || g.last.PID != s.PID:
			g.t.Errorf("a sample at %#x of thread %d of %d after a walk of %+v", s.IP, s.TID, s.PID, g.last)
		default:
			give(g.last, s)
			g.last = nil
		}
	})
}

// drain gives the pairs that there are, in order, and supplies what is missing.
func (g *sampledThread) drain(give func(p *pair)) {
	g.t.Helper()
	arch, mask, sp := native()
	g.each(func(w *Walked, s *perfring.Sample) {
		p := &pair{Walked: *w, finished: w.Frames, ended: w.Outcome}
		r := unwind.FromPerf(arch, mask, s.UserRegs)
		p.same, p.want = g.walker.Walk(nil, g.space, &r, s.UserStack, r.R[sp], maxDeep)
		if p.Stuck {
			p.finished, p.ended = g.walker.Resume(slices.Clone(p.Frames), g.space, &p.Regs, p.Stack, p.Base, maxDeep-len(p.Frames), p.First)
			g.supply(w)
		}
		give(p)
	})
}

// Programs of C, which gcc compiles without frame pointers: the program's walks are those of package unwind on the same registers and the same
// stack, and after the first ones it lacks nothing.
func TestStacksOfC(t *testing.T) {
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("no gcc here, of which this test has its programs")
	}
	sources, err := filepath.Abs("../../testdata/stacks")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		program  string
		args     []string
		want     unwind.Outcome // of nearly all walks
		pointers bool           // taken for code without a file, which keeps frame pointers
	}{
		{program: "plain"}, {program: "signal"}, {program: "signal", args: []string{"x"}}, {program: "sort"}, {program: "vdso"},
		{program: "deep"}, {program: "deep", args: []string{"300"}, want: unwind.Deep},
		{program: "plain", pointers: true}, {program: "sort", pointers: true}, {program: "deep", pointers: true},
	} {
		t.Run(fmt.Sprintf("%s %q pointers=%v", c.program, c.args, c.pointers), func(t *testing.T) {
			file, frames := filepath.Join(t.TempDir(), c.program), "-fomit-frame-pointer"
			if c.pointers {
				frames = "-fno-omit-frame-pointer"
			}
			if out, err := exec.Command(gcc, "-O2", frames, "-o", file, filepath.Join(sources, c.program+".c"), "-lpthread", "-lm").CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			cpu := online(t)[0]
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			p := exec.Command("taskset", "-c", fmt.Sprint(cpu), file, "1")
			p.Args = append(p.Args, c.args...)
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { p.Process.Kill(); p.Wait() })
			if !becomes(p.Process.Pid, file) {
				t.Fatal("the program has ended")
			}
			g := &sampledThread{}
			if c.pointers {
				g.generated = file
			}
			g.follow(t, stacks(t, StackOptions{}), p.Process.Pid, cpu)
			compareWalks(t, g, c.want)
		})
	}
}

// Threads of Go, by their own tables. They are in the kernel now and then.
func TestStacksOfGo(t *testing.T) {
	cpu := online(t)[0]
	p, _ := start(t, fmt.Sprintf("deep %d", cpu))
	compareWalks(t, follow(t, stacks(t, StackOptions{}), p.Process.Pid, cpu), unwind.Complete)
}

// A 32-bit program is said to be one.
func TestStacksOfOtherWidth(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the program of this test is one of i386")
	}
	file := filepath.Join(t.TempDir(), "narrow")
	gcc := exec.Command("gcc", "-m32", "-nostdlib", "-static", "-o", file, "-x", "assembler", "-")
	gcc.Stdin = strings.NewReader(".globl _start\n_start: jmp _start\n")
	if out, err := gcc.CombinedOutput(); err != nil {
		t.Skipf("no 32-bit program can be made here: %v\n%s", err, out)
	}
	cpu := online(t)[0]
	p := exec.Command("taskset", "-c", fmt.Sprint(cpu), file)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Process.Kill(); p.Wait() })
	if !becomes(p.Process.Pid, file) {
		t.Skip("this kernel runs no 32-bit programs")
	}
	g := &sampledThread{blind: true}
	g.follow(t, stacks(t, StackOptions{}), p.Process.Pid, cpu)
	for n := 0; n < 10; time.Sleep(time.Millisecond) {
		g.each(func(w *Walked, _ *perfring.Sample) {
			if n++; w.Outcome != unwind.OtherWidth || w.Stuck || len(w.Frames) > 0 {
				t.Fatalf("%+v, want no frames and %v", w, unwind.OtherWidth)
			}
		})
	}
}

// becomes waits for a process to execute a file; false: it has ended.
func becomes(pid int, file string) bool {
	for {
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if exe == file || err != nil {
			return exe == file
		}
		time.Sleep(time.Millisecond)
	}
}

// compareWalks takes samples. All walks are those of package unwind. Once what is needed has been loaded nearly all end as is wanted, and
// few are stuck.
func compareWalks(t *testing.T, g *sampledThread, want unwind.Outcome) {
	t.Helper()
	const samples = 150
	before, n, stuck, otherwise, kernel, longest := 0, 0, 0, 0, 0, 0
	loaded := false
	for end := time.Now().Add(time.Minute); n < samples && !t.Failed(); {
		if time.Now().After(end) {
			t.Fatalf("%d and %d samples in a minute, %d were to come", before, n, samples)
		}
		time.Sleep(10 * time.Millisecond)
		some, lacking := false, false
		g.drain(func(p *pair) {
			some, lacking = true, lacking || p.Stuck
			longest = max(longest, len(p.finished))
			if len(p.finished) > 0 && p.finished[0] != p.IP {
				kernel++
			}
			if p.want != unwind.Truncated && (p.ended != p.want || !slices.Equal(p.finished, p.same)) {
				t.Errorf("missing %d\nprogram %v %#x\nunwind  %v %#x", p.Missing, p.ended, p.finished, p.want, p.same)
			}
			if !loaded {
				before++
				return
			}
			n++
			if p.Stuck {
				stuck++
				t.Logf("sample %d is stuck: %d frames, %d of %d %#x, pc %#x", n, len(p.Frames), p.Missing, p.MissingModule, p.MissingNumber, p.Regs.PC)
			}
			if p.ended != want {
				otherwise++
				t.Logf("sample %d: %v, %d frames %#x", n, p.ended, len(p.finished), p.finished)
			}
		})
		loaded = loaded || some && !lacking
	}
	t.Logf("%d and %d samples, %d of them in the kernel, the longest of %d frames", before, n, kernel, longest)
	if stuck > n/20 || otherwise > n/50 {
		t.Errorf("of %d samples %d were stuck, %d did not end as %v", n, stuck, otherwise, want)
	}
}
