package collect

import (
	"debug/elf"
	"os"
	"testing"

	"github.com/energyprof/energyprof/internal/bpf"
	"github.com/energyprof/energyprof/internal/symbol"
	"github.com/energyprof/energyprof/internal/unwind"
	"github.com/energyprof/energyprof/perfring"
)

// What a process has of small binaries is told in the time that there is, and what it has of large ones is not.
func TestAhead(t *testing.T) {
	program, err := bpf.NewStacks(bpf.StackOptions{})
	if err != nil {
		if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
			t.Fatalf("root may not load the program: %v", err)
		}
		t.Skipf("this user may not load BPF programs here: %v", err)
	}
	defer program.Close()
	s := newStream(t, Options{Stacks: Stacks{Method: "bpf", BPF: program}, Resolver: symbol.New(symbol.Options{})})
	s.exec(10, "app")
	const base, large = 0x10000000, 0x20000000
	file := "/bin/sh"
	f, err := elf.Open(file)
	if err != nil {
		t.Skipf("no small program here: %v", err)
	}
	defer f.Close()
	var want int
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 {
			for start, size := range map[uint64]uint64{base: p.Memsz, large: aheadCode + 1} {
				s.put(&perfring.Mmap{SampleID: perfring.SampleID{Time: s.tick()}, PID: 10, TID: 10, Addr: start + p.Vaddr, Len: size, PgOff: p.Off, Filename: []byte(file)})
			}
			want = int((p.Vaddr+p.Memsz-1)>>unwind.ChunkShift - p.Vaddr>>unwind.ChunkShift + 1)
		}
	}
	s.tellSpace(s.table.process(10), bpf.SpaceKey{MM: 1, TGID: 10})
	a := &s.unwinder.loader.ahead
	if len(a.queue) != want {
		t.Errorf("%d pieces are to be told of, want %d", len(a.queue), want)
	}
	a.last = monotonic() + second
	if s.tellAhead(); a.rows > 0 {
		t.Errorf("%d rows told without time for it", a.rows)
	}
	for range want {
		a.last = 0
		s.tellAhead()
	}
	if told := len(s.unwinder.loader.chunks); told != want || a.rows == 0 || len(a.queue) > 0 {
		t.Errorf("%d pieces told, of %d rows, %d to come: want %d and none", told, a.rows, len(a.queue), want)
	}
	s.tellSpace(s.table.process(10), bpf.SpaceKey{MM: 2, TGID: 10})
	if len(a.queue) > 0 {
		t.Errorf("%d pieces are to be told of again", len(a.queue))
	}
	if err := s.Books().WalkErr; err != nil {
		t.Error(err)
	}
}
