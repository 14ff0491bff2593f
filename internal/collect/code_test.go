package collect

import (
	"debug/elf"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/energyprof/energyprof/internal/symbol"
)

// Memory with a name is unwound by the tables of the binary that is in it, and is code of a runtime if there is none.
func TestMemoryFile(t *testing.T) {
	binary, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Skipf("no small program here: %v", err)
	}
	f, err := elf.Open("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var code *elf.Prog
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 {
			code = p
		}
	}
	for name, contents := range map[string][]byte{"energyprof-binary": binary, "energyprof-generated": make([]byte, len(binary))} {
		fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if _, err := unix.Pwrite(fd, contents, 0); err != nil {
			t.Fatal(err)
		}
		page := uint64(os.Getpagesize())
		b, err := unix.Mmap(fd, int64(code.Off&^(page-1)), int(code.Filesz), unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Munmap(b)
	}
	s := newStream(t, Options{Proc: "/proc", Resolver: symbol.New(symbol.Options{})})
	pid := uint32(os.Getpid())
	if err := s.table.existing(pid); err != nil {
		t.Fatal(err)
	}
	p := s.table.process(pid)
	seen := 0
	for _, m := range p.space.mappings {
		i := m.image.Value()
		if !strings.HasPrefix(i.file, "/memfd:energyprof-") {
			continue
		}
		seen++
		c := s.code(p, m)
		if c.failed {
			t.Errorf("%s: failed", i.file)
		}
		if want := strings.HasPrefix(i.file, "/memfd:energyprof-binary"); (c.module != nil) != want {
			t.Errorf("%s: tables %v, want %v", i.file, c.module != nil, want)
		}
		if c.module != nil && c.bias != m.start-code.Vaddr&^(uint64(os.Getpagesize())-1) {
			t.Errorf("%s at %#x: bias %#x, its code is at %#x", i.file, m.start, c.bias, code.Vaddr)
		}
	}
	if seen != 2 {
		t.Errorf("%d mappings are seen, want 2", seen)
	}
}
