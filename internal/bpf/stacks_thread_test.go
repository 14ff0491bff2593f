package bpf

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/energyprof/energyprof/internal/symbol"
	"github.com/energyprof/energyprof/internal/unwind"
	"github.com/energyprof/energyprof/perfring"
	"golang.org/x/sys/unix"
)

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
	sure      bool   // what is mapped is all code that there is

	event, output *perfring.Event
	ring          *perfring.Ring
	decoder       *perfring.Decoder
	last          *Walked // whose sample has not come yet
	lost          bool    // there was no room for what came last
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
	img, ok := unwind.ImageOf(b)
	if !ok {
		g.t.Fatalf("%s: not of this machine", m.File)
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
		if g.sure {
			g.stacks.Sure(w.Space)
		}
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

// each gives the walks that there are, with their samples, in order. Meanwhile there are no new ones: to compile tables takes longer than
// a ring has room.
func (g *sampledThread) each(give func(w *Walked, s *perfring.Sample)) {
	g.t.Helper()
	if err := g.event.Disable(); err != nil {
		g.t.Fatal(err)
	}
	defer g.event.Enable()
	g.ring.Drain(func(raw []byte) {
		rec, err := g.decoder.Decode(raw)
		if err != nil {
			g.t.Fatal(err)
		}
		s, ok := rec.(*perfring.Sample)
		switch rec.(type) {
		case *perfring.Lost:
			g.last, g.lost = nil, true // on a busy machine nobody may come here for a second
			return
		case *perfring.Throttle, *perfring.Unthrottle:
			return // of a slow machine
		}
		switch {
		case !ok:
			g.t.Errorf("a record %T among samples", rec)
		case s.ID == g.output.ID:
			g.last, g.lost = &Walked{}, false
			if err := DecodeWalk(bytes.Clone(s.RawData), g.last); err != nil {
				g.t.Fatal(err)
			}
		case g.last == nil && g.lost: // with its walk
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
